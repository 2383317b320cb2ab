"""Which steps measure: how far judges and raters can be trusted, and whether style tells the labels."""

from collections.abc import Mapping
from dataclasses import dataclass

from dt2it_ray.pipeline.construct_plan import Constructed
from dt2it_ray.stages import labels, preferences, reliability, style
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.generate import model_name
from dt2it_ray.stages.judges import AnnotatorChoice, JudgingSettings
from dt2it_ray.stages.reliability import ReliabilitySettings
from dt2it_ray.stages.stage import NoSettings, Step
from dt2it_ray.stages.style import StyleProbeSettings
from dt2it_ray.stages.world import AddStep


@dataclass(frozen=True)
class Labelled:
    """Pairs that somebody else labelled, with the prompts whose answers they are of."""

    rows: Step
    pairs: Step


@dataclass(frozen=True)
class Features:
    """Length, style and origin of every answer, which measures of judges read."""

    constructed: Step
    raw: Step


def plan_measures(add: AddStep, settings: ConstructSettings, rows: Step, made: Constructed, raw: Labelled) -> Features:
    """Add the steps that measure judges and style; style is probed in the constructed pairs and in the raw ones."""
    features = add("construct/style", style.STYLE, NoSettings(), {"rows": made.candidates})
    judged = {f"judgements/{name}": step for name, step in made.judgements.items()}
    known = _known(settings.reliability, made.judgements)
    add("construct/reliability", reliability.RELIABLE, known, {"rows": rows, "answers": features, **judged})
    labelled = add("construct/raw_by_prompt", preferences.GROUP_PAIRS, NoSettings(), {"pairs": raw.pairs})
    written = {"rows": raw.rows, "pairs": labelled}
    of_raw = add("construct/style_of_raw", style.STYLE_OF_ROWS, NoSettings(), written)
    probed = {"features/constructed": features, "features/raw": of_raw}
    pairs = {"pairs/constructed": made.pairs, "pairs/raw": raw.pairs}
    add("construct/style_probe", style.STYLE_PROBE, settings.style, {**pairs, **probed})
    return Features(features, of_raw)


def plan_measure_of_voters(
    add: AddStep, settings: ReliabilitySettings, iteration: str, votes: Mapping[str, Step], beside: Mapping[str, Step]
) -> None:
    """Add the step that measures the judges of doubted pairs, by their `votes/NAME`; `beside` has `doubted`, the pool's
    `rows`, and the `answers` with their features."""
    known = _known(settings, {name.replace("votes/", "rejudge/"): step for name, step in votes.items()})
    add(f"{iteration}/reliability", reliability.RELIABLE_VOTES, known, {**beside, **votes})


def plan_measure_of_raters(
    add: AddStep, settings: ReliabilitySettings, ratings: Mapping[str, Step], beside: Mapping[str, Step]
) -> None:
    """Add the step that measures granular raters, by their `ratings/NAME`; `beside` has the prompts' `rows`, and the
    `answers` with their features."""
    known = _known(settings, {name.replace("ratings/", "rate/"): step for name, step in ratings.items()})
    add("construct/granular_reliability", reliability.RELIABLE_RATINGS, known, {**beside, **ratings})


def labels_of(add: AddStep, name: str, rows: Step) -> Labelled:
    """The labels that prompt rows carry, made a table of pairs by a step of that name."""
    return Labelled(rows, add(name, labels.LABELS, NoSettings(), {"rows": rows}))


def plan_style_of_labels(add: AddStep, settings: StyleProbeSettings, pool: Labelled, trusted: Labelled) -> Step:
    """Add the steps that measure the style of labels of data of one's own; returns the features of the pool's answers.

    The probe says how well style alone tells them, in the pool and in the trusted pairs.
    """
    features = {name: _features_of(add, name, of) for name, of in (("open", pool), ("trusted", trusted))}
    pairs = {"pairs/open": pool.pairs, "pairs/trusted": trusted.pairs}
    probed = {f"features/{name}": step for name, step in features.items()}
    add("open/style_probe", style.STYLE_PROBE, settings, {**pairs, **probed})
    return features["open"]


def _features_of(add: AddStep, name: str, of: Labelled) -> Step:
    labelled = add(f"{name}/by_prompt", preferences.GROUP_PAIRS, NoSettings(), {"pairs": of.pairs})
    return add(f"{name}/style", style.STYLE_OF_ROWS, NoSettings(), {"rows": of.rows, "pairs": labelled})


def _known(settings: ReliabilitySettings, asked: Mapping[str, Step]) -> ReliabilitySettings:
    """The settings with the model behind each of these judges that has one, by mode and name; no other judges."""
    told = {name: step.settings for name, step in asked.items()}
    judges = {name: each.judge if isinstance(each, JudgingSettings) else each for name, each in told.items()}
    models = {
        name: model_name(judge.engine)
        for name, judge in judges.items()
        if isinstance(judge, AnnotatorChoice) and judge.engine is not None
    }
    said = {name: model for name, model in settings.models.items() if name in asked}
    return settings.model_copy(update={"models": {**models, **said}})
