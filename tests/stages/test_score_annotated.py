"""A reward model reads of each answer what the simulated annotator wrote of that one."""

from collections.abc import Sequence

import pyarrow as pa

from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.scenes.wording import claim_text
from dt2it_ray.data.schema import SCORES
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.stages.score_annotated import SCORE_ANNOTATED, score_annotated
from tests.stages.rows import prompt_row

SURE = AnnotatorSettings(error_rate=0, malformed=0, fenced=0)


class Reader:
    """Gives 1 for a critique that says the answer is right, and knows nothing else."""

    fingerprint = "reader"

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        told = [conversation.critique for conversation in conversations]
        return [float(critique.startswith("The question is answered correctly")) for critique in told if critique]


def test_each_answer_is_scored_behind_its_own_critique() -> None:
    asked = [
        row for number in range(50) if (row := distill_row(f"p{number}", "distill", 0, number))["language"] == "en"
    ]
    rows = []
    for place, row in enumerate(asked[:3]):
        right = claim_text(Truth.from_json(row["scene"]).asked, "en", 0)
        texts = ["I like trains."] * place + [right] + ["Rain."] * (2 - place)
        rows.append(row | {"answers": prompt_row(row["prompt_id"], tuple(dict.fromkeys(texts)))["answers"]})
    made = score_annotated(pa.Table.from_pylist(rows, schema=SCORE_ANNOTATED.reads), Reader(), SURE).rows
    assert made.schema == SCORES
    assert made["answer_id"].to_pylist() == [answer["answer_id"] for row in rows for answer in row["answers"]]
    expected = [[1, 0], [0, 1, 0], [0, 1]]
    assert made.column(SCORES.names[-1]).to_pylist() == [reward for rewards in expected for reward in rewards]
