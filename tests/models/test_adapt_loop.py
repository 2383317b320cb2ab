"""The adaptation of a backbone to chosen answers: it learns them, resumes exactly, and refuses what it cannot read."""

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dt2it_ray.errors import Preempted
from dt2it_ray.models.adapt_loop import adapt
from dt2it_ray.models.adapt_settings import AdaptSettings
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import SUMMARY, read_refused_pairs, read_training_log
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.models.weights import load_backbone
from tests.models.random_families import write_family
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS, Interrupted, LocalSession

pytestmark = pytest.mark.usefixtures("process_group")
HOW = AdaptSettings(global_batch_answers=2, learning_rate=3e-3, precision="float32", epochs=2)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """Twelve prompts with two pairs each, whose chosen answer is the same."""
    made = write_toy_pairs(tmp_path_factory.mktemp("adapt"), num_prompts=12)
    return dataclasses.replace(made, settings=HOW.as_training(), checkpoint_every_steps=1000)


@pytest.fixture(scope="module")
def adapted(job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapted")
    adapt(dataclasses.replace(job, output=str(folder)), LocalSession(folder / "state"))
    return folder


def with_first_images(job: TrainJob, images: list[dict[str, Any]], folder: Path, rows: int) -> TrainJob:
    """The job with other images in its first rows, and its output in `folder`."""
    table = pq.read_table(job.rows_paths[0][0])
    prompts = [
        {**row, "images": images if place < rows else row["images"]} for place, row in enumerate(table.to_pylist())
    ]
    pq.write_table(pa.Table.from_pylist(prompts, schema=table.schema), folder / "r")
    return dataclasses.replace(job, rows_paths=((str(folder / "r"),),), output=str(folder))


def test_settings_reach_the_training_under_its_names() -> None:
    training = AdaptSettings(global_batch_answers=7, freeze_vision=False, freeze_layers=1, seed=3).as_training()
    assert (training.global_batch_pairs, training.seed, training.epochs) == (7, 3, 1)
    assert (training.model.freeze_vision, training.model.freeze_projector, training.model.freeze_layers) == (
        *(False, True),
        1,
    )
    shared = set(AdaptSettings.model_fields) & set(TrainSettings.model_fields)
    defaults = {name: getattr(TrainSettings(), name) for name in shared}
    assert {name: getattr(AdaptSettings(), name) for name in shared} == defaults


def test_every_chosen_answer_is_learned_once_in_an_epoch_whatever_its_pairs(adapted: Path) -> None:
    steps = read_training_log(str(adapted))
    assert [(step["step"], step["epoch"]) for step in steps] == [(place, place // 6) for place in range(12)]
    assert sum(step["pairs"] for step in steps) == 2 * 24
    assert steps[-1]["loss"] < 0.5 * steps[0]["loss"]
    assert steps[0]["accuracy"] == 0
    assert steps[-1]["token_accuracy"] > steps[0]["token_accuracy"]
    assert (adapted / SUMMARY).exists()


def test_an_interrupted_adaptation_ends_with_the_same_bytes(job: TrainJob, adapted: Path, tmp_path: Path) -> None:
    again = dataclasses.replace(job, output=str(tmp_path), checkpoint_every_steps=1)
    with pytest.raises(Interrupted):
        adapt(again, LocalSession(tmp_path / "state", checkpoints_to_live=3))
    assert not (tmp_path / WEIGHTS).exists()
    adapt(again, LocalSession(tmp_path / "state"))
    assert (tmp_path / WEIGHTS).read_bytes() == (adapted / WEIGHTS).read_bytes()
    assert [step["step"] for step in read_training_log(str(tmp_path))] == list(range(12))


def test_an_adaptation_that_is_told_to_end_saves_first(
    job: TrainJob, adapted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, session = dataclasses.replace(job, output=str(tmp_path)), LocalSession(tmp_path / "state")
    with monkeypatch.context() as told:
        told.setattr(session, "leaving", lambda: True)
        with pytest.raises(Preempted, match="1 of 12 steps are done and saved"):
            adapt(again, session)
    adapt(again, session)
    assert (tmp_path / WEIGHTS).read_bytes() == (adapted / WEIGHTS).read_bytes()


def test_smaller_micro_batches_take_the_same_steps(job: TrainJob, adapted: Path, tmp_path: Path) -> None:
    adapt(dataclasses.replace(job, output=str(tmp_path), micro_batch_pairs=1), LocalSession(tmp_path / "state"))
    wanted = [step["loss"] for step in read_training_log(str(adapted))]
    assert [step["loss"] for step in read_training_log(str(tmp_path))] == pytest.approx(wanted, rel=1e-3)


def test_passes_within_a_budget_of_tokens_take_the_same_steps(job: TrainJob, adapted: Path, tmp_path: Path) -> None:
    adapt(dataclasses.replace(job, output=str(tmp_path), micro_batch_tokens=1), LocalSession(tmp_path / "state"))
    steps = read_training_log(str(tmp_path))
    assert {step["passes"] for step in steps} == {2}
    wanted = [step["loss"] for step in read_training_log(str(adapted))]
    assert [step["loss"] for step in steps] == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("freeze_vision", [True, False])
def test_the_vision_tower_learns_only_if_it_shall(job: TrainJob, tmp_path: Path, freeze_vision: bool) -> None:
    settings = HOW.model_copy(update={"freeze_vision": freeze_vision, "epochs": 1}).as_training()
    adapt(dataclasses.replace(job, output=str(tmp_path), settings=settings), LocalSession(tmp_path / "state"))
    before, after = (load_backbone(folder, "float32") for folder in (job.base, str(tmp_path / "model")))
    moved = {
        name.partition(".")[0]
        for name, weight in after.named_parameters()
        if not torch.equal(weight, before.get_parameter(name)) and "merger" not in name
    }
    assert moved == ({"language_model"} if freeze_vision else {"language_model", "visual"})


def test_answers_that_cannot_be_read_are_refused_with_all_their_pairs(job: TrainJob, tmp_path: Path) -> None:
    settings = HOW.model_copy(update={"epochs": 1}).as_training()
    broken = with_first_images(job, [{"bytes": b"no image", "path": None}], tmp_path, rows=1)
    adapt(dataclasses.replace(broken, settings=settings), LocalSession(tmp_path / "state"))
    refused = read_refused_pairs(str(tmp_path))
    assert [row["key"] for row in refused] == ["pair-short-000", "pair-wrong-000"]
    assert {row["reason"] for row in refused} == {"image_undecodable"}
    assert sum(step["pairs"] for step in read_training_log(str(tmp_path))) == 22


def test_a_text_model_with_a_head_of_its_own_is_adapted(job: TrainJob, tmp_path: Path) -> None:
    base = write_family(tmp_path / "base", "llama")
    text = with_first_images(job, [], tmp_path, rows=12)
    adapt(dataclasses.replace(text, base=base), LocalSession(tmp_path / "state"))
    losses = [step["loss"] for step in read_training_log(str(tmp_path))]
    assert losses[-1] < 0.6 * losses[0]
