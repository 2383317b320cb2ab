"""Which steps make debiased pairs of prompts: candidates of one model, the judges, the pairs that they agree on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.engines import with_checkpoint
from dt2it_ray.pipeline.diversity_plan import Diversified, Sampled, plan_diversity
from dt2it_ray.stages import answer_facts, generate, judge, pairs
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.judges import JudgeSettings, JudgingSettings
from dt2it_ray.stages.rate import RateSettings
from dt2it_ray.stages.stage import MapStage, Step
from dt2it_ray.stages.world import AddStep

AnsweredT = TypeVar("AnsweredT", generate.GenerateSettings, JudgeSettings, RateSettings)
"""Settings of a step that asks an engine."""


@dataclass(frozen=True)
class Constructed:
    """What the construction leaves for others to read."""

    candidates: Step
    """The answers that pairs are of."""
    judgements: Mapping[str, Step]
    """Of every judge, by mode and name: `listwise/annotator-0`."""
    pairs: Step


def plan_construction(add: AddStep, settings: ConstructSettings, backbone: Backbone, rows: Step) -> Constructed:
    """Add the steps from prompt rows to pairs."""
    orders = settings.listwise.orders
    listwise = [
        JudgingSettings(judge=with_backbone(each, backbone), orders=orders) for each in settings.listwise.judges
    ]
    pointwise = [JudgingSettings(judge=with_backbone(each, backbone)) for each in settings.pointwise.judges]
    answered = _plan_answers(add, settings, backbone, rows, listwise[0])
    judged = {"rows": rows, "candidates": answered.candidates}
    left = [each for each in listwise if f"listwise/{each.judge.name}" not in answered.judgements]
    judgements = {
        **answered.judgements,
        **plan_panel(add, judge.LISTWISE, left, judged),
        **(plan_panel(add, judge.POINTWISE, pointwise, judged) if settings.pairs.agreement == "both" else {}),
    }
    facts = add("construct/answer_facts", answer_facts.FACTS, settings.facts, {"rows": answered.candidates})
    made = add("construct/pairs", pairs.FORM_PAIRS, settings.pairs, {"rows": rows, "facts": facts, **judgements})
    return Constructed(answered.candidates, judgements, made)


def _plan_answers(
    add: AddStep, settings: ConstructSettings, backbone: Backbone, rows: Step, screener: JudgingSettings
) -> Diversified:
    """Add the steps that make all answers; with diversity enhancement, the screener's judgements come with them."""
    sampling = with_backbone(settings.generate, backbone)
    if not settings.diversity.enabled:
        return Diversified(add("construct/generate", generate.GENERATE, sampling, {"rows": rows}), {})
    sampling = sampling.model_copy(update={"fewest": 1})
    candidates = add("construct/generate", generate.GENERATE, sampling, {"rows": rows})
    sampled = Sampled(rows, candidates, sampling.engine, backbone)
    return plan_diversity(add, settings.diversity, sampled, screener)


def plan_panel(
    add: AddStep, stage: MapStage, panel: Sequence[JudgingSettings], judged: Mapping[str, Step]
) -> dict[str, Step]:
    """Add one step per judge, which may have an engine and a place of its own; by the input names of who reads them."""
    names = [f"{stage.name}/{member.judge.name}" for member in panel]
    return {name: add(f"construct/{name}", stage, member, judged) for name, member in zip(names, panel, strict=True)}


def with_backbone(settings: AnsweredT, backbone: Backbone) -> AnsweredT:
    """The settings with the checkpoint that answers; a server has its own, a simulated annotator none."""
    if settings.engine is None:
        return settings
    return settings.model_copy(update={"engine": with_checkpoint(settings.engine, backbone)})
