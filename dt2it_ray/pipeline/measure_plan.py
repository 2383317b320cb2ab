"""Which steps measure a construction: how far its judges can be trusted, and whether style tells the labels."""

from dataclasses import dataclass

from dt2it_ray.pipeline.construct_plan import Constructed
from dt2it_ray.stages import labels, preferences, reliability, style
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.generate import model_name
from dt2it_ray.stages.judges import JudgingSettings
from dt2it_ray.stages.stage import NoSettings, Step
from dt2it_ray.stages.world import AddStep


@dataclass(frozen=True)
class Labelled:
    """Pairs that somebody else labelled, with the prompts whose answers they are of."""

    rows: Step
    pairs: Step


def plan_measures(
    add: AddStep, settings: ConstructSettings, rows: Step, made: Constructed, raw: Labelled | None = None
) -> None:
    """Add the steps that measure judges and style; with `raw` pairs, style is probed in both to be compared."""
    features = add("construct/style", style.STYLE, NoSettings(), {"rows": made.candidates})
    judged = {f"judgements/{name}": step for name, step in made.judgements.items()}
    models = {**_models(made), **settings.reliability.models}
    known = settings.reliability.model_copy(update={"models": models})
    add("construct/reliability", reliability.RELIABLE, known, {"rows": rows, "answers": features, **judged})
    probed: dict[str, Step] = {"pairs/constructed": made.pairs, "features/constructed": features}
    if raw:
        probed["pairs/raw"] = raw.pairs
        labelled = add("construct/raw_by_prompt", preferences.GROUP_PAIRS, NoSettings(), {"pairs": raw.pairs})
        written = {"rows": raw.rows, "pairs": labelled}
        probed["features/raw"] = add("construct/style_of_raw", style.STYLE_OF_ROWS, NoSettings(), written)
    add("construct/style_probe", style.STYLE_PROBE, settings.style, probed)


def labels_of(add: AddStep, name: str, rows: Step) -> Labelled:
    """The labels that prompt rows carry, made a table of pairs by a step of that name."""
    return Labelled(rows, add(name, labels.LABELS, NoSettings(), {"rows": rows}))


def _models(made: Constructed) -> dict[str, str]:
    """The model behind each judge that has one, by mode and name, for self-preference."""
    judges = {
        name: step.settings.judge
        for name, step in made.judgements.items()
        if isinstance(step.settings, JudgingSettings)
    }
    return {name: model_name(judge.engine) for name, judge in judges.items() if judge.engine is not None}
