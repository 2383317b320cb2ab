"""What a train step counts when a training is taken up again; nothing is trained here."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.engine import ray_train
from dt2it_ray.models.adapt_settings import AdaptSettings
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.train_log import SUMMARY, TRAINING_LOG
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.pipeline.summary import rows_read
from dt2it_ray.pipeline.train_step import steps_kept
from dt2it_ray.stages.adapt import ADAPT, AdaptFitSettings
from dt2it_ray.stages.stage import Step, TrainPlacement
from dt2it_ray.stages.train import TRAIN, FitSettings
from dt2it_ray.store.files import Folder
from tests.engine.toy import Silent, index_step, reporter

EPOCHS, PAIRS, PAIRS_PER_STEP = 2, 100, 20


def line(step: int, call: int) -> dict[str, Any]:
    """A line of the training log; its speed tells the call that took the step."""
    return {"step": step, "pairs": PAIRS_PER_STEP, "pairs_per_s": float(call)}


def write_log(folder: Path, lines: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRAINING_LOG).write_text("".join(json.dumps(entry) + "\n" for entry in lines))


def test_steps_after_the_checkpoint_are_taken_again_and_not_kept() -> None:
    before = [line(step, call=1) for step in range(7)]
    after = [*before[:4], *(line(step, call=2) for step in range(4, 10))]
    assert steps_kept(before, after) == before[:4]
    assert steps_kept([], after) == []
    assert steps_kept(after, after) == after


@pytest.mark.parametrize(("logged", "kept"), [(0, 0), (7, 4), (10, 10)])
def test_a_resumed_training_counts_only_the_pairs_of_this_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: int, kept: int
) -> None:
    run, rows, heard = Folder(str(tmp_path)), index_step(n=PAIRS), Silent()
    run_step(rows, run, reporter())
    settings = FitSettings(backbone=Backbone(path="/nowhere", digest="0"), train=TrainSettings(epochs=EPOCHS))
    step = Step(name="m/train", stage=TRAIN, settings=settings, inputs={"pairs": rows}, placement=TrainPlacement())
    output = tmp_path / "m" / "train" / step.fingerprint
    earlier = [line(place, call=1) for place in range(logged)]
    write_log(output, earlier)

    def train_the_rest(job: dict[str, Any], placement: TrainPlacement) -> None:
        write_log(output, [*earlier[:kept], *(line(place, call=2) for place in range(kept, 10))])
        (output / SUMMARY).write_text("{}")

    monkeypatch.setattr(ray_train, "run_training", train_the_rest)
    manifest = run_step(step, run, heard)
    assert heard.started == [("m/train", EPOCHS * PAIRS, logged * PAIRS_PER_STEP)]
    assert manifest.counts.rows_in == PAIRS
    assert manifest.provenance["rows_before"] == kept * PAIRS_PER_STEP // EPOCHS
    assert rows_read(manifest) == PAIRS - kept * PAIRS_PER_STEP // EPOCHS


def test_reward_models_start_from_the_model_that_the_adaptation_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, pairs, backbone = Folder(str(tmp_path)), index_step(n=PAIRS), Backbone(path="/checkpoint", digest="0")
    told: dict[str, dict[str, Any]] = {}

    def train_nothing(job: dict[str, Any], placement: TrainPlacement) -> None:
        told[job["name"]] = job
        write_log(Path(job["output"]), [line(0, call=1)])
        Path(job["output"], SUMMARY).write_text("{}")

    monkeypatch.setattr(ray_train, "run_training", train_nothing)
    how = AdaptFitSettings(backbone=backbone, adapt=AdaptSettings(global_batch_answers=3))
    fit = FitSettings(backbone=backbone, train=TrainSettings())
    adapt = Step(name="backbone/adapt", stage=ADAPT, settings=how, inputs={"pairs": pairs}, placement=TrainPlacement())
    inputs = {"pairs": pairs, "backbone": adapt}
    step = Step(name="m/train", stage=TRAIN, settings=fit, inputs=inputs, placement=TrainPlacement())
    for each in (pairs, adapt, step):
        run_step(each, run, reporter())
    adapted, rewarded = told["backbone/adapt"], told["m"]
    assert (adapted["task"], adapted["base"]) == ("answers", "/checkpoint")
    assert adapted["settings"]["global_batch_pairs"] == 3
    assert (rewarded["task"], rewarded["base"]) == ("rewards", f"{adapted['output']}/model")
