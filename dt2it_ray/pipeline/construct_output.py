"""Which steps write the pairs of a construction, and what a judge said of their answers beside them."""

from pydantic import Field

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.construct_plan import Constructed, with_backbone
from dt2it_ray.settings import Settings
from dt2it_ray.stages import critiques, preferences
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.judges import JudgeSettings
from dt2it_ray.stages.reasons import READ_REASONS, Criterion, ReasonSettings
from dt2it_ray.stages.stage import NoSettings, Step
from dt2it_ray.stages.world import AddStep

OUTPUT_STEP = "output/preferences"
KEPT_BY = "flat"
"""The format of rows that has a place for critiques."""


class ReasonChoice(Settings):
    """Whose reasons are kept, and which of them."""

    judge: str
    """Name of a pointwise judge. Its replies are read again from where they are kept, so that none is paid twice."""
    criteria: tuple[Criterion, ...] = Field(default=("accuracy",), min_length=1)
    """The criteria whose reasons are put together, in this order."""


def check_reasons(choice: ReasonChoice, construction: ConstructSettings, form: str) -> None:
    """Raises ValueError where the reasons of a judge are not there, would be paid again, or have no place in the rows
    of a format; empty for Parquet."""
    names = [judge.name for judge in construction.pointwise.judges]
    if choice.judge not in names or construction.pairs.agreement != "both":
        there = ", ".join(names) if construction.pairs.agreement == "both" else "none: pairs.agreement is not both"
        raise ValueError(f"critiques.judge={choice.judge} is no pointwise judge that is asked; there are {there}")
    engine = _judge(choice, construction).engine
    if engine is not None and (engine.kind == "transformers" or engine.cache is None):
        raise ValueError(
            f"critiques.judge={choice.judge} keeps no replies (kind: {engine.kind}), so that it would have to be asked "
            "again; name a judge on vllm or an endpoint whose cache is not null"
        )
    if form not in ("", KEPT_BY):
        raise ValueError(f"to={form} has no place for critiques; set to={KEPT_BY}, or write .parquet")


def plan_output(
    add: AddStep,
    backbone: Backbone,
    rows: Step,
    made: Constructed,
    choice: ReasonChoice | None,
    construction: ConstructSettings,
) -> Step:
    """Add the steps from pairs to preferences, with critiques of their answers if there is a choice."""
    grouped = add("output/by_prompt", preferences.GROUP_PAIRS, NoSettings(), {"pairs": made.pairs})
    answered = {"rows": rows, "candidates": made.candidates}
    if choice is None:
        return add(OUTPUT_STEP, preferences.WRITE_PREFERENCES, NoSettings(), {**answered, "pairs": grouped})
    asked = ReasonSettings(judge=with_backbone(_judge(choice, construction), backbone), criteria=choice.criteria)
    # By way of the pairs it comes behind the judge, whose replies are there then.
    told = add("output/reasons", READ_REASONS, asked, {**answered, "pairs": grouped})
    both = {"pairs": made.pairs, "critiques": told}
    joined = add("output/critiqued_pairs", critiques.JOIN, NoSettings(), both)
    grouped = add("output/critiqued_by_prompt", preferences.GROUP_CRITIQUED, NoSettings(), {"pairs": joined})
    return add(OUTPUT_STEP, preferences.WRITE_CRITIQUED, NoSettings(), {**answered, "pairs": grouped})


def _judge(choice: ReasonChoice, construction: ConstructSettings) -> JudgeSettings:
    return next(judge for judge in construction.pointwise.judges if judge.name == choice.judge)
