"""No map stage looks over the edge of a batch or at the order of rows (the scorer and generator: tests/models)."""

import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.stages.judge import READS, build_judging
from dt2it_ray.stages.judges import JudgeSettings, JudgingSettings
from dt2it_ray.stages.rejudge import REJUDGE, build_rejudging
from dt2it_ray.stages.score import SCORE, score_batch
from dt2it_ray.stages.stage import BatchFn, Outcome, Workplace
from tests.stages.rows import ToyScorer, prompt_row

ANNOTATOR = AnnotatorSettings(malformed=0.3, error_rate=0.3, position_bias=0.3)
JUDGE = JudgeSettings(annotator=ANNOTATOR)


def scene_rows() -> list[dict]:
    """Prompts about scenes with three answers, two of which form a pair."""
    rows = []
    for number in range(24):
        row = distill_row(f"p{number:02d}", "distill", 0, number)
        answered = prompt_row(row["prompt_id"], ("Red.", "There are two objects.", f"Number {number}."))
        answers = answered["answers"]
        pair = {"pair_id": f"x{number}", "chosen_id": answers[0]["answer_id"], "rejected_id": answers[1]["answer_id"]}
        rows.append(row | {"answers": answers, "pairs": [pair]})
    return rows


CASES: dict[str, tuple[Callable[[], BatchFn], pa.Schema]] = {
    "listwise": (lambda: build_judging("listwise", JudgingSettings(judge=JUDGE, orders=2), Workplace()), READS),
    "pointwise": (lambda: build_judging("pointwise", JudgingSettings(judge=JUDGE), Workplace()), READS),
    "rejudge": (lambda: build_rejudging(JUDGE, Workplace()), REJUDGE.reads),
    "score": (
        lambda: lambda batch: score_batch(batch, ToyScorer()),
        pa.schema([PROMPTS.field(name) for name in SCORE.reads.names]),
    ),
}


def sorted_by_key(outcomes: list[Outcome]) -> tuple[pa.Table, pa.Table]:
    rows = pa.concat_tables([outcome.rows for outcome in outcomes])
    dropped = pa.concat_tables([outcome.dropped for outcome in outcomes])
    return rows.sort_by(rows.schema.names[0]).combine_chunks(), dropped.sort_by("key").combine_chunks()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch_rows", [1, 5])
def test_other_batches_in_another_order_give_the_same_rows(name: str, batch_rows: int) -> None:
    build, schema = CASES[name]
    table = pa.Table.from_pylist(scene_rows(), schema=schema)
    whole = sorted_by_key([build()(table)])
    shuffled = table.take(random.Random(batch_rows).sample(range(table.num_rows), table.num_rows))
    batches = [shuffled.slice(start, batch_rows) for start in range(0, table.num_rows, batch_rows)]
    function = build()
    parts = sorted_by_key([function(batch) for batch in batches])
    assert parts[0].equals(whole[0])
    assert parts[1].equals(whole[1])
    assert whole[0].num_rows > 0
