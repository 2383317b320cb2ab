"""Which steps a run has on data of one's own, and what may not be asked of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.plan import plan_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.stage import Step, TrainPlacement, TrainStage

BACKBONE = Backbone(path="/anywhere", digest="0123")
MODELS = ("raw_baseline", "iter-00", "iter-01/voter-1", "iter-01/consistency", "iter-01")


def a_set(folder: Path, name: str) -> dict[str, Any]:
    row = {"question": f"Is it {name}?", "chosen": "Yes.", "rejected": "No."}
    (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return {name: {"files": {"input": str(folder / f"{name}.jsonl")}, "ingest": {"format": "flat"}}}


def outside(folder: Path, **more: Any) -> dict[str, Any]:
    sets = {"trusted": a_set(folder, "clean"), "pool": a_set(folder, "noisy"), "tests": a_set(folder, "held")}
    return sets | more


def plan(tree: dict[str, Any], **settings: Any) -> dict[str, Step]:
    settings = {"name": "own", "iterations": 1, "outside": tree, **settings}
    return {step.name: step for step in plan_run(parse_settings(RunSettings, settings, "test"), BACKBONE)}


def test_models_learn_from_trusted_pairs_and_the_pool_and_are_measured_on_the_tests(tmp_path: Path) -> None:
    steps = plan(outside(tmp_path))
    assert not [name for name in steps if name.startswith(("construct/", "t2i/", "distill/", "benchmarks/"))]
    read = {name: set(step.inputs) for name, step in steps.items() if isinstance(step.stage, TrainStage)}
    assert read["iter-00/train"] == {"pairs", "rows/trusted"}
    assert read["raw_baseline/train"] == read["iter-01/train"] == {"pairs", "rows/trusted", "rows/open"}
    assert steps["iter-01/evaluate"].inputs["rows"].name == "tests/rows"
    assert set(steps["tests/rows"].inputs) == {"rows/held"}
    assert set(steps["open/style_probe"].inputs) == {
        *("features/open", "features/trusted"),
        *("pairs/open", "pairs/trusted"),
    }


def test_planted_flips_are_a_step_of_their_own_name(tmp_path: Path) -> None:
    assert "open/rows" in plan(outside(tmp_path))
    planted = plan(outside(tmp_path, planted_flips={"noisy": 0.3}))
    assert "open/rows" not in planted
    assert planted["open/planted"].identity()["planted_flips"] == {"noisy": 0.3}
    assert planted["trusted/rows"].identity()["planted_flips"] == {}


def test_without_judges_doubted_pairs_go_to_the_decision_without_votes(tmp_path: Path) -> None:
    steps = plan(outside(tmp_path), curate={"rejudge": {"judges": []}})
    assert set(steps["iter-01/decisions"].inputs) == {"flips", "scores"}
    assert "iter-01/reliability" not in steps


def test_without_a_pool_one_model_is_trained(tmp_path: Path) -> None:
    steps = plan(outside(tmp_path, pool={}), iterations=0)
    assert [name for name, step in steps.items() if isinstance(step.stage, TrainStage)] == ["iter-00/train"]


def test_every_model_starts_from_the_backbone_that_was_adapted_to_trusted_answers(tmp_path: Path) -> None:
    steps = plan(outside(tmp_path, adapt={"epochs": 3}))
    adapted = steps["backbone/adapt"]
    assert {name: source.name for name, source in adapted.inputs.items()} == {
        "pairs": "trusted/pairs",
        "rows/trusted": "trusted/rows",
    }
    assert adapted.placement == TrainPlacement()
    started = {name: step.inputs["backbone"] for name, step in steps.items() if step.stage.name == "train"}
    assert set(started) == {f"{model}/train" for model in MODELS}
    assert {source.fingerprint for source in started.values()} == {adapted.fingerprint}
    other = plan(outside(tmp_path, adapt={"epochs": 4}))
    assert other["iter-00/train"].fingerprint != steps["iter-00/train"].fingerprint
    assert other["open/rows"].fingerprint == steps["open/rows"].fingerprint


def test_demonstrations_are_learned_in_place_of_the_trusted_answers_and_nowhere_else(tmp_path: Path) -> None:
    steps = plan(outside(tmp_path, adapt={}, demonstrations=a_set(tmp_path, "shown")))
    learned = {name: source.name for name, source in steps["backbone/adapt"].inputs.items()}
    assert learned == {"pairs": "demonstrations/pairs", "rows/demonstrations": "demonstrations/rows"}
    readers = [name for name, step in steps.items() if "demonstrations/pairs" in {s.name for s in step.inputs.values()}]
    assert readers == ["backbone/adapt"]


def test_without_adaptation_models_start_from_the_checkpoint(tmp_path: Path) -> None:
    steps = plan(outside(tmp_path))
    assert "backbone/adapt" not in steps
    assert not [name for name, step in steps.items() if "backbone" in step.inputs]


@pytest.mark.parametrize(
    ("more", "settings", "message"),
    [
        ({"pool": {}}, {}, "nothing to curate"),
        ({}, {"world": {"seed": 3}}, "world does nothing beside outside"),
        ({"demonstrations": {"shown": {"files": {"input": "x"}}}}, {}, "nobody learns from them"),
        ({"planted_flips": {"noise": 0.3}}, {}, "no set of this name"),
        ({"planted_flips": {"noisy": 1.3}}, {}, "give 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    tmp_path: Path, more: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(outside(tmp_path, **more), **settings)
