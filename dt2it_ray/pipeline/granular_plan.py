"""Which steps rate candidates on five attributes and derive training sets from the ratings (arXiv 2402.10884)."""

from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats.derived_sets import write_derived_sets
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.construct_plan import with_backbone
from dt2it_ray.pipeline.measure_plan import plan_measure_of_raters
from dt2it_ray.settings import Settings
from dt2it_ray.stages.granular import CHOOSE, GRANULAR_PAIRS, GranularPairSettings
from dt2it_ray.stages.rate import RATE, Raters, RateSettings
from dt2it_ray.stages.reliability import ReliabilitySettings
from dt2it_ray.stages.stage import NoSettings, Step
from dt2it_ray.stages.teach import TEACH, SetFileSettings, TeachSettings
from dt2it_ray.stages.world import AddStep
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest

SETS_STEP = "output/granular_sets"


class GranularSettings(Settings):
    """A second rubric for the same candidates, and the training sets that follow from it."""

    raters: Raters = (RateSettings(),)
    """Who rates; several are averaged. Each has a step of its own."""
    pairs: GranularPairSettings = GranularPairSettings()
    teach: TeachSettings = TeachSettings()
    files: SetFileSettings = SetFileSettings()


@dataclass(frozen=True)
class Answered:
    """What is rated: prompts with candidates, and what is known of these."""

    rows: Step
    candidates: Step
    features: Step


def plan_granular(
    add: AddStep, settings: GranularSettings, measuring: ReliabilitySettings, backbone: Backbone, answered: Answered
) -> None:
    """Add the steps from candidates to ratings, pairs and training sets, and the one that measures the raters."""
    rows = answered.rows
    rated = {"rows": rows, "candidates": answered.candidates}
    raters = {
        f"ratings/{rater.name}": add(f"construct/ratings/{rater.name}", RATE, with_backbone(rater, backbone), rated)
        for rater in settings.raters
    }
    plan_measure_of_raters(add, measuring, raters, {"rows": rows, "answers": answered.features})
    choices = add("construct/granular", CHOOSE, settings.pairs, raters)
    add("construct/granular_pairs", GRANULAR_PAIRS, NoSettings(), {"choices": choices, "rows": rows})
    add(SETS_STEP, TEACH, settings.teach, {**rated, "choices": choices})


def write_sets(run: Folder, made: Manifest, files: SetFileSettings, output: str) -> dict[str, Any]:
    """Write the training sets of a finished step into a folder; the rows of every file."""
    data = made.data(run)
    rows = (row for file in made.files for row in data.read_table(file.name).to_pylist())
    return write_derived_sets(rows, Folder(output), files.sets, files.formats, files.best_attributes())
