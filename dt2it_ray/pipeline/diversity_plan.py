"""Which steps add worse answers where all are good, and better ones where all are bad, and judge only what is new."""

from collections.abc import Mapping
from dataclasses import dataclass

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.engines import EngineSettings, with_checkpoint
from dt2it_ray.stages import diversify, judge, screening
from dt2it_ray.stages.construct import DiversitySettings
from dt2it_ray.stages.judges import JudgingSettings
from dt2it_ray.stages.stage import NoSettings, Step
from dt2it_ray.stages.world import AddStep


@dataclass(frozen=True)
class Sampled:
    """Prompts, the answers sampled for them, and the model that they are sampled from."""

    rows: Step
    candidates: Step
    engine: EngineSettings
    backbone: Backbone
    """For engines of the diversity enhancement that run on the workers themselves."""


@dataclass(frozen=True)
class Diversified:
    """The enlarged sets of answers, and what the screening judge says of all of them."""

    candidates: Step
    judgements: Mapping[str, Step]


def plan_diversity(
    add: AddStep, settings: DiversitySettings, sampled: Sampled, screener: JudgingSettings
) -> Diversified:
    """Add the steps. The screener judges a set again only if answers were added to it.

    Raises:
        ConfigError: the engines that add answers do not fit on one worker, or do not heed a setting.
    """
    rows, before = sampled.rows, sampled.candidates
    screen = add("construct/screen", judge.LISTWISE, screener, {"rows": rows, "candidates": before})
    found = {"candidates": before, "screen": screen}
    needs = add("construct/needs", screening.FIND_NEEDS, settings.need, found)
    author, stronger = settings.add.engine, settings.add.better_engine
    filled = {
        "engine": with_checkpoint(author, sampled.backbone) if author else sampled.engine,
        "better_engine": with_checkpoint(stronger, sampled.backbone) if stronger else None,
    }
    additions = settings.add.model_copy(update=filled)
    # The settings could not tell before they knew the author.
    if problem := diversify.engine_problem(additions):
        raise ConfigError(f"construction.diversity.add: {problem}")
    answered = {"rows": rows, "candidates": before, "needs": needs}
    candidates = add("construct/diversify", diversify.DIVERSIFY, additions, answered)
    counted = {"candidates": candidates, "sampled": before}
    enlarged = add("construct/enlarged", screening.LIST_ENLARGED, NoSettings(), counted)
    new = {"rows": rows, "candidates": candidates, "enlarged": enlarged}
    judged = add("construct/judge-enlarged", judge.LISTWISE, screener, new)
    name = f"listwise/{screener.judge.name}"
    both = {"screen": screen, "judged": judged, "enlarged": enlarged, "candidates": candidates}
    joined = add(f"construct/{name}", screening.JOIN_JUDGEMENTS, screener, both)
    return Diversified(candidates, {name: joined})
