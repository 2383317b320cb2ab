"""How the reasons of a pointwise judge become critiques of answers: its replies are read again from where they are
kept, as its judgements have their numbers only."""

from collections.abc import Iterator
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.criteria import CRITERIA
from dt2it_ray.data.critiques import CRITIQUES
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.preferences import PAIRS_OF_PROMPT
from dt2it_ray.models.protocols import Judge, JudgeRequest
from dt2it_ray.rules.judge_reply import Reply
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ask import READS, ask, asking_figures, request_for
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.judge import request_key
from dt2it_ray.stages.judges import JudgeSettings, open_judge, rubric_parser
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace

Criterion = Literal["accuracy", "helpfulness", "completeness", "language_quality", "creativity", "ethics"]
assert Criterion.__args__ == CRITERIA  # type: ignore[attr-defined]


class ReasonSettings(Settings):
    """Whose reasons are read, and which of them make a critique."""

    judge: JudgeSettings = JudgeSettings()
    """As in its pointwise step, so that it is asked the same."""
    criteria: tuple[Criterion, ...] = Field(default=("accuracy",), min_length=1)
    """The criteria whose reasons are put together, in this order."""


def build_reasons(settings: ReasonSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates and pairs to a critique of every answer of the pairs."""
    judge = open_judge(settings.judge, place)
    return EngineFn(lambda batch: read_reasons(batch, judge, settings), judge)


def read_reasons(batch: pa.Table, judge: Judge, settings: ReasonSettings) -> Outcome:
    """One row per answer of a pair. An answer of which the judge has no valid reply has no row."""
    wanted = list(_wanted(batch))
    asked = ask(judge, [request for _, _, request in wanted], settings.judge.attempts, rubric_parser(settings.judge))
    made = []
    for (prompt, answer, _), each in zip(wanted, asked, strict=True):
        if isinstance(each.reply, Dropped):
            continue
        critique = critique_of(each.reply, settings)
        if critique:
            made.append({"answer_id": answer, "prompt_id": prompt, "critique": critique})
    return Outcome(pa.Table.from_pylist(made, schema=CRITIQUES), metrics=asking_figures(asked))


def critique_of(reply: Reply, settings: ReasonSettings) -> str:
    """What a reply about one answer says of it."""
    (answer,) = reply.answers
    told = (answer.analysis[CRITERIA.index(criterion)].strip() for criterion in settings.criteria)
    return " ".join(text for text in told if text)


def _wanted(batch: pa.Table) -> Iterator[tuple[str, str, JudgeRequest]]:
    """Prompt, answer and request of every answer of a pair, asked as the judge was."""
    for row in batch.to_pylist():
        paired: set[Any] = {pair[side] for pair in row["pairs"] for side in ("chosen_id", "rejected_id")}
        for place, answer in enumerate(row["answers"]):
            if answer["answer_id"] in paired:
                key = request_key("pointwise", row["prompt_id"], place)
                yield row["prompt_id"], answer["answer_id"], request_for(row, [answer["text"]], key)


READ_REASONS = MapStage(
    name="reasons",
    version=1,
    reads=pa.schema([*READS, PAIRS_OF_PROMPT.field("pairs")]),
    writes=CRITIQUES,
    build=build_reasons,
    per="prompt_id",
)
