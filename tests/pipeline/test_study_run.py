"""What a study comes to stands in its run folder."""

import json
from collections.abc import Mapping
from pathlib import Path

from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.planner import Planner
from dt2it_ray.pipeline.study_ablation import AblationSettings
from dt2it_ray.pipeline.study_run import run_study
from dt2it_ray.stages import world
from dt2it_ray.store.manifest import Manifest


def rows_made(made: Mapping[str, Manifest]) -> dict[str, int]:
    return {name: manifest.counts.rows_out for name, manifest in made.items()}


def test_what_finished_steps_come_to_is_returned_and_written(tmp_path: Path) -> None:
    settings = AblationSettings(root=str(tmp_path), name="study")
    planner = Planner(settings, find_backbone("tiny"))
    world.plan_distill(planner.add, seed=0, prompts=4)
    index = planner.steps[0]
    told = run_study(settings, [index], rows_made)
    assert told == {index.name: 4}
    assert json.loads((tmp_path / "study" / "summary.json").read_text()) == told
