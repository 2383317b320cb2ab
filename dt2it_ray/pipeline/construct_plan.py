"""Which steps make debiased pairs of prompts: candidates of one model, the judges, the pairs that they agree on."""

from dataclasses import dataclass
from typing import TypeVar

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.stages import construct, judge
from dt2it_ray.stages.stage import Step
from dt2it_ray.stages.world import AddStep

AnsweredT = TypeVar("AnsweredT", construct.GenerateSettings, judge.JudgeSettings)
"""Settings of a step that asks an engine."""


@dataclass(frozen=True)
class Constructed:
    """What the construction leaves for others to read."""

    candidates: Step
    """The answers that pairs are of."""
    pairs: Step


def plan_construction(
    add: AddStep, settings: construct.ConstructSettings, backbone: Backbone, rows: Step
) -> Constructed:
    """Add the steps from prompt rows to pairs."""
    candidates = add(
        "construct/generate", construct.GENERATE, with_backbone(settings.generate, backbone), {"rows": rows}
    )
    judged = {"rows": rows, "candidates": candidates}
    listwise = add("construct/listwise", judge.LISTWISE, with_backbone(settings.listwise, backbone), judged)
    pointwise = add("construct/pointwise", judge.POINTWISE, with_backbone(settings.pointwise, backbone), judged)
    agreed = {"listwise": listwise, "pointwise": pointwise, "rows": rows}
    return Constructed(candidates, add("construct/pairs", construct.FORM_PAIRS, settings.pairs, agreed))


def with_backbone(settings: AnsweredT, backbone: Backbone) -> AnsweredT:
    """The settings with the checkpoint that answers; a server has its own, a simulated annotator none."""
    if settings.engine is None or settings.engine.kind != "transformers":
        return settings
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"backbone": backbone})})
