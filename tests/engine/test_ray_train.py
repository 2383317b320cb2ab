"""Training on Ray: a killed worker changes no byte of the model, two workers share the work, errors are one message."""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dt2it_ray.engine import ray_train
from dt2it_ray.engine.checkpoint_list import LIST
from dt2it_ray.engine.ray_train import CHECKPOINTS, RUN_NAME, run_training
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.train_log import read_training_log
from dt2it_ray.models.train_loop import TrainJob
from dt2it_ray.stages.stage import TrainPlacement
from tests.models.random_model import write_toy_pairs
from tests.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]
ONE = TrainPlacement(workers=1, cpus=1, micro_batch_pairs=4, checkpoint_every_steps=3, max_failures=0)
STEPS = 20
HELD_AT = 8
HELD = "held"
"""A file in the output folder, while workers are to wait."""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    return write_toy_pairs(tmp_path_factory.mktemp("ray-train"), num_prompts=2 * STEPS)


def fields(job: TrainJob, output: Path) -> dict:
    """What a train step passes on."""
    names = ("name", "base", "pairs_paths", "rows_paths")
    settings = job.settings.model_dump(mode="json")
    return {"settings": settings, **{name: getattr(job, name) for name in names}, "output": str(output)}


@pytest.fixture(scope="module")
def undisturbed(job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one worker makes in peace: the training's folder."""
    output = tmp_path_factory.mktemp("undisturbed")
    run_training(fields(job, output), ONE)
    return output


def held_worker(config: dict[str, Any]) -> None:
    """What a worker runs that waits to be killed, or told to end, after some steps; once it was, it waits no more."""
    leaving, output = ray_train._RaySession.leaving, Path(config["output"])

    def wait(self: Any) -> bool:
        if (output / HELD).exists() and len(read_training_log(str(output))) >= HELD_AT:
            self._told.wait()
        return leaving(self)

    ray_train._RaySession.leaving = wait
    ray_train.train_worker(config)


@contextlib.contextmanager
def worker_gets(how: signal.Signals, output: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Send the training worker of this session a signal after `HELD_AT` steps."""
    output.mkdir(exist_ok=True)
    (output / HELD).touch()
    monkeypatch.setattr(ray_train, "train_worker", held_worker)
    sender = threading.Thread(target=_send, args=(how, output), daemon=True)
    sender.start()
    yield
    sender.join()


def _send(how: signal.Signals, output: Path) -> None:
    # As long as a busy machine may take to begin: else the worker would wait for ever.
    assert until(lambda: len(read_training_log(str(output))) >= HELD_AT, wait_s=600)
    workers = [child for child in psutil.Process().children(recursive=True) if _is_worker(child)]
    (output / HELD).unlink()
    for worker in workers:
        worker.send_signal(how)


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "RayTrainWorker" in " ".join(process.cmdline())
    return False


def test_a_killed_worker_a_damaged_list_and_a_second_run_end_with_the_same_bytes(
    job: TrainJob, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    message = r"training toy failed: .* running again goes on from there"
    with worker_gets(signal.SIGKILL, killed, monkeypatch), pytest.raises(StageFailed, match=message):
        run_training(fields(job, killed), ONE)
    before = read_training_log(str(killed))
    assert len(before) == HELD_AT
    # As a full disk leaves it.
    (killed / CHECKPOINTS / RUN_NAME / LIST).write_bytes(b"")
    again = run_training(fields(job, killed), ONE)
    for name in ("model.safetensors", "reward_config.json"):
        assert Path(again, name).read_bytes() == (undisturbed / "model" / name).read_bytes()
    after = read_training_log(str(killed))
    assert [step["step"] for step in after] == list(range(STEPS))
    # Their seconds would differ if the steps before the second checkpoint, which was whole, had been taken again.
    assert after[:6] == before[:6]
    assert not (killed / CHECKPOINTS).exists()
    stamp = Path(again, "model.safetensors").stat().st_mtime_ns
    assert run_training(fields(job, killed), ONE) == again
    assert Path(again, "model.safetensors").stat().st_mtime_ns == stamp


def test_a_worker_that_gets_sigterm_saves_and_the_same_call_goes_on_to_the_same_bytes(
    job: TrainJob, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[list] = []
    start = ray_train._trainer

    def counted(*args: Any) -> Any:
        starts.append(read_training_log(str(tmp_path)))
        return start(*args)

    monkeypatch.setattr(ray_train, "_trainer", counted)
    with worker_gets(signal.SIGTERM, tmp_path, monkeypatch):
        # It is no failure, and the only checkpoint is that of the signal.
        model = run_training(fields(job, tmp_path), ONE.model_copy(update={"checkpoint_every_steps": 1000}))
    assert Path(model, "model.safetensors").read_bytes() == (undisturbed / "model/model.safetensors").read_bytes()
    steps = read_training_log(str(tmp_path))
    assert [step["step"] for step in steps] == list(range(STEPS))
    assert [len(before) for before in starts] == [0, HELD_AT]
    assert steps[:HELD_AT] == starts[1]


def test_two_workers_learn_what_one_learns(job: TrainJob, undisturbed: Path, tmp_path: Path) -> None:
    run_training(fields(job, tmp_path), ONE.model_copy(update={"workers": 2, "micro_batch_pairs": 2}))
    steps = read_training_log(str(tmp_path))
    assert [step["pairs"] for step in steps] == [4] * STEPS
    losses = [step["loss"] for step in read_training_log(str(undisturbed))]
    assert [step["loss"] for step in steps] == pytest.approx(losses, rel=1e-3, abs=1e-5)
    assert losses[-1] < 0.5 * losses[0]


def test_bad_inputs_are_one_message_and_are_not_tried_again(job: TrainJob, tmp_path: Path) -> None:
    lost = dataclasses.replace(job, base=str(tmp_path / "nowhere"))
    with pytest.raises(StageFailed, match="nowhere") as failure:
        run_training(fields(lost, tmp_path / "output"), ONE.model_copy(update={"max_failures": 3}))
    assert "\n" not in str(failure.value)
    assert failure.value.__suppress_context__
