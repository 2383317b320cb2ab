"""Which steps make the pairs that the loop starts from of data of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.ingest_plan import plan_ingest
from dt2it_ray.pipeline.measure_plan import Labelled, labels_of, plan_style_of_labels
from dt2it_ray.pipeline.outside_settings import OutsideSet, OutsideSettings
from dt2it_ray.stages.adapt import ADAPT, AdaptFitSettings
from dt2it_ray.stages.ingested_prompts import LOAD_INGESTED_PROMPTS, JoinSettings
from dt2it_ray.stages.ingested_tests import LOAD_INGESTED_TESTS
from dt2it_ray.stages.stage import NoSettings, Step
from dt2it_ray.stages.style import StyleProbeSettings
from dt2it_ray.stages.world import AddStep


@dataclass(frozen=True)
class Pool:
    """The noisy pairs: their prompts, the labels, and length and style of every answer."""

    rows: Step
    pairs: Step
    features: Step


@dataclass(frozen=True)
class Outside:
    """The steps whose rows the loop starts from."""

    trusted: Labelled
    pool: Pool | None
    benchmarks: Step
    backbone: Step | None
    """The backbone that was adapted to right answers, if it shall be."""


def plan_outside(add: AddStep, settings: OutsideSettings, probe: StyleProbeSettings, backbone: Backbone) -> Outside:
    """Add the steps that ingest all sets, join the rows of each prompt, measure how style tells the labels, and adapt
    the backbone.

    Raises:
        ConfigError: there is no such format. InputError: a file is missing.
    """
    trusted = _plan_prompts(add, settings, "trusted", settings.trusted, JoinSettings())
    tests = add("tests/rows", LOAD_INGESTED_TESTS, NoSettings(), _ingested(add, settings, "tests", settings.tests))
    pool = _plan_pool(add, settings, trusted, probe) if settings.pool else None
    return Outside(trusted, pool, tests, _plan_backbone(add, settings, trusted, backbone))


def _plan_backbone(add: AddStep, settings: OutsideSettings, trusted: Labelled, backbone: Backbone) -> Step | None:
    if settings.adapt is None:
        return None
    kind, shown = "trusted", trusted
    if settings.demonstrations:
        kind = "demonstrations"
        shown = _plan_prompts(add, settings, kind, settings.demonstrations, JoinSettings())
    learned = {"pairs": shown.pairs, f"rows/{kind}": shown.rows}
    return add("backbone/adapt", ADAPT, AdaptFitSettings(backbone=backbone, adapt=settings.adapt), learned)


def _plan_pool(add: AddStep, settings: OutsideSettings, trusted: Labelled, probe: StyleProbeSettings) -> Pool:
    flips = JoinSettings(planted_flips=settings.planted_flips, seed=settings.seed)
    pool = _plan_prompts(add, settings, "open", settings.pool, flips)
    return Pool(pool.rows, pool.pairs, features=plan_style_of_labels(add, probe, pool, trusted))


def _plan_prompts(
    add: AddStep, settings: OutsideSettings, kind: str, sets: Mapping[str, OutsideSet], join: JoinSettings
) -> Labelled:
    # The name of the step tells whether anything in it is planted.
    name = "planted" if join.planted_flips else "rows"
    rows = add(f"{kind}/{name}", LOAD_INGESTED_PROMPTS, join, _ingested(add, settings, kind, sets))
    return labels_of(add, f"{kind}/pairs", rows)


def _ingested(add: AddStep, settings: OutsideSettings, kind: str, sets: Mapping[str, OutsideSet]) -> dict[str, Step]:
    """The ingested rows of every set by the input names of the steps that read them."""
    return {
        f"rows/{name}": plan_ingest(add, one.files, one.ingest, settings.processes(), f"{kind}/sets/{name}/")
        for name, one in sorted(sets.items())
    }
