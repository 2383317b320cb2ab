"""A training in this process: it learns, it resumes exactly, and bad inputs are named."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dt2it_ray.errors import InputError, StageFailed, StoreError
from dt2it_ray.models import train_loop, vision_looks
from dt2it_ray.models.checkpoint_parts import WORKERS_FILE
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.train_log import SUMMARY, read_refused_pairs, read_training_log
from dt2it_ray.models.train_loop import TrainJob, train
from dt2it_ray.models.train_rows import open_training_rows
from dt2it_ray.models.vision_looks import look_once
from tests.models.random_model import picture, write_toy_pairs

pytestmark = pytest.mark.usefixtures("process_group")
WEIGHTS = "model/model.safetensors"


class Interrupted(Exception):
    """Stands in for the death of a worker."""


class LocalSession:
    """Implements `Session` for one worker: keeps the newest checkpoint in a folder, dies after some of them."""

    rank, world_size = 0, 1

    def __init__(self, folder: Path, checkpoints_to_live: int = 1000) -> None:
        self.folder, self.left = folder, checkpoints_to_live

    @contextlib.contextmanager
    def checkpoint(self) -> Iterator[str | None]:
        yield str(self.folder) if self.folder.exists() else None

    def report(self, metrics: Mapping[str, Any], folder: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(folder, self.folder)
        self.left -= 1
        if not self.left:
            raise Interrupted

    def show(self, figures: Mapping[str, float]) -> None:
        self.shown = dict(figures)

    def leaving(self) -> bool:
        return False

    def warned(self) -> bool:
        return False


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    return write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=12)


@pytest.fixture(scope="module")
def trained(job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(dataclasses.replace(job, output=str(folder)), LocalSession(folder / "state"))
    return folder


def test_the_loss_falls_and_every_pair_is_used_once(trained: Path) -> None:
    steps = read_training_log(str(trained))
    assert [step["step"] for step in steps] == list(range(6))
    assert sum(step["pairs"] for step in steps) == 24
    assert steps[-1]["loss"] < 0.5 * steps[0]["loss"]
    assert steps[-1]["accuracy"] == 1.0
    assert (trained / SUMMARY).exists()


def test_an_interrupted_training_ends_with_the_same_bytes(job: TrainJob, trained: Path, tmp_path: Path) -> None:
    again = dataclasses.replace(job, output=str(tmp_path), checkpoint_every_steps=1)
    with pytest.raises(Interrupted):
        train(again, LocalSession(tmp_path / "state", checkpoints_to_live=3))
    train(again, LocalSession(tmp_path / "state"))
    assert (tmp_path / WEIGHTS).read_bytes() == (trained / WEIGHTS).read_bytes()
    assert [step["step"] for step in read_training_log(str(tmp_path))] == list(range(6))


def test_an_optimizer_that_every_worker_holds_goes_on_with_any_number_of_them(
    job: TrainJob, trained: Path, tmp_path: Path
) -> None:
    settings = job.settings.model_copy(update={"zero_stage": 0})
    again = dataclasses.replace(job, settings=settings, output=str(tmp_path), checkpoint_every_steps=1)
    with pytest.raises(Interrupted):
        train(again, LocalSession(tmp_path / "state", checkpoints_to_live=3))
    (tmp_path / "state" / WORKERS_FILE).write_text("2")
    train(again, LocalSession(tmp_path / "state"))
    losses = [[step["loss"] for step in read_training_log(str(folder))] for folder in (tmp_path, trained)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4, abs=1e-7)


def test_an_optimizer_that_is_split_in_another_way_does_not(job: TrainJob, tmp_path: Path) -> None:
    settings = job.settings.model_copy(update={"zero_stage": 0, "precision": "bfloat16"})
    again = dataclasses.replace(job, settings=settings, output=str(tmp_path), checkpoint_every_steps=1)
    with pytest.raises(Interrupted):
        train(again, LocalSession(tmp_path / "state", checkpoints_to_live=1))
    (tmp_path / "state" / WORKERS_FILE).write_text("2")
    with pytest.raises(StageFailed, match=r"begun with 2 workers.* training\.workers=2"):
        train(again, LocalSession(tmp_path / "state"))


def test_images_looked_at_once_give_the_same_model(
    job: TrainJob, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    monkeypatch.setattr(train_loop, "_looking_pays", lambda *_: False)
    train(dataclasses.replace(job, output=str(tmp_path)), LocalSession(tmp_path / "state"))
    looked_often, looked_once = load_file(tmp_path / WEIGHTS), load_file(trained / WEIGHTS)
    for name, weight in looked_often.items():
        torch.testing.assert_close(looked_once[name], weight, rtol=1e-4, atol=1e-5)


def test_features_that_take_too_much_memory_are_not_kept(job: TrainJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_looks, "LOOKS_BYTES", 1000)
    model = new_reward_model(job.base, "float32", seed=0)
    encoder = open_encoder(job.base, job.settings.collate)
    look_once(model, encoder, iter([picture(1), picture(2)]), 2)
    assert not model.looks
    assert not encoder.known


def test_the_vision_tower_stays_frozen(job: TrainJob, trained: Path) -> None:
    from safetensors.torch import load_file

    before = load_file(Path(job.base, "model.safetensors"))
    after = load_file(trained / WEIGHTS)
    vision = [name for name in after if ".visual." in name]
    assert vision
    assert all(torch.equal(after[name], before[name]) for name in vision)
    assert any(not torch.equal(after[name], before[name]) for name in after if name in before and name not in vision)


def test_the_head_may_learn_faster_than_the_rest_and_resumes_so(job: TrainJob, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    settings = job.settings.model_copy(update={"learning_rate": 1e-9, "head_learning_rate": 1e-2})
    slow = dataclasses.replace(job, settings=settings, output=str(tmp_path), checkpoint_every_steps=2)
    with pytest.raises(Interrupted):
        train(slow, LocalSession(tmp_path / "state", checkpoints_to_live=1))
    train(slow, LocalSession(tmp_path / "state"))
    before, after = load_file(Path(job.base, "model.safetensors")), load_file(tmp_path / WEIGHTS)
    assert max(float((after[name] - before[name]).abs().max()) for name in after if name in before) < 1e-6
    head = new_reward_model(job.base, "float32", settings.seed).get_parameter("score.weight")
    assert (after["score.weight"] - head).abs().mean() > 1e-2


def test_pairs_with_a_broken_image_are_refused_by_name(job: TrainJob, tmp_path: Path) -> None:
    rows = pq.read_table(job.rows_paths[0][0])
    broken = [[{"bytes": b"no image", "path": None}], *rows["images"].to_pylist()[1:]]
    column = pa.array(broken, rows.schema.field("images").type)
    pq.write_table(rows.set_column(rows.schema.get_field_index("images"), "images", column), tmp_path / "rows")
    broken_job = dataclasses.replace(job, rows_paths=((str(tmp_path / "rows"),),), output=str(tmp_path))
    train(broken_job, LocalSession(tmp_path / "state"))
    refused = read_refused_pairs(str(tmp_path))
    assert [row["key"] for row in refused] == ["pair-short-000", "pair-wrong-000"]
    assert {row["reason"] for row in refused} == {"image_undecodable"}
    assert sum(step["pairs"] for step in read_training_log(str(tmp_path))) == 22


def test_a_pair_without_its_prompt_is_an_error(job: TrainJob, tmp_path: Path) -> None:
    pairs = pq.read_table(job.pairs_paths[0]).slice(0, 1)
    lost = pairs.set_column(1, "prompt_id", pa.array(["prompt-lost"]))
    pq.write_table(lost, tmp_path / "pairs")
    with pytest.raises(InputError, match="1 training pairs name a prompt that is not in the rows given"):
        open_training_rows([str(tmp_path / "pairs")], job.rows_paths)
    pq.write_table(pairs.slice(0, 0), tmp_path / "pairs")
    with pytest.raises(InputError, match="there are no training pairs"):
        open_training_rows([str(tmp_path / "pairs")], job.rows_paths)


def test_a_base_that_is_no_model_is_an_error(job: TrainJob, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="tokenizer"):
        train(dataclasses.replace(job, base=str(tmp_path)), LocalSession(tmp_path / "state"))
