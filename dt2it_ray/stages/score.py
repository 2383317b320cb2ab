"""How every distinct answer of a prompt gets its reward from one model, once."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.schema import PROMPTS, SCORES
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Conversation, Scorer, reward_conversation
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


def build_scoring(settings: ScoreSettings, place: Workplace) -> BatchFn:
    """A function from prompts to one score per answer, with the reward model of the input named `model`."""
    from dt2it_ray.models.open_scorer import open_scorer

    scorer = open_scorer(f"{place.folders['model']}/model", settings, device=place.device, threads=place.threads)
    return lambda batch: score_batch(batch, scorer)


def score_batch(batch: pa.Table, scorer: Scorer) -> Outcome:
    """One row per answer. A prompt of which any answer cannot be scored is dropped whole, with the reason."""
    return by_answer(batch, scorer.score, SCORES)


def by_answer(batch: pa.Table, ask: Callable[[Sequence[Conversation]], Sequence[Any]], writes: pa.Schema) -> Outcome:
    """What a model says of each answer, one row each, in the last column of `writes`. A prompt of which any answer is
    `Dropped` is dropped whole, with the reason."""
    rows = batch.to_pylist()
    said = iter(ask([conversation for row in rows for conversation in conversations_of(row)]))
    made, refused = [], []
    for row in rows:
        told = [(answer["answer_id"], next(said)) for answer in row["answers"]]
        trouble = next((each for _, each in told if isinstance(each, Dropped)), None)
        if trouble is not None:
            refused.append(trouble.row(row["prompt_id"]))
            continue
        made += [{"answer_id": answer, "prompt_id": row["prompt_id"], writes.names[-1]: each} for answer, each in told]
    return Outcome(pa.Table.from_pylist(made, schema=writes), dropped_table(refused))


def conversations_of(row: dict) -> list[Conversation]:
    """What a reward model reads for each answer of a prompt row."""
    return [reward_conversation(row, answer["text"]) for answer in row["answers"]]


SCORE = MapStage(
    name="score",
    version=2,
    reads=pa.schema([PROMPTS.field(name) for name in ("prompt_id", "images", "history", "question", "answers")]),
    writes=SCORES,
    build=build_scoring,
    per="prompt_id",
)
