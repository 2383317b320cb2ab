"""Training on Ray: a killed worker changes no byte of the model, two workers share the work, errors are one message."""

import contextlib
import dataclasses
import os
import signal
import threading
import time
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

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]
ONE = TrainPlacement(workers=1, cpus=1, micro_batch_pairs=4, checkpoint_every_steps=3, max_failures=0)
STEPS = 20


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


def kill_worker_at(output: Path, step: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the training worker of this session as soon as the log reaches a step."""
    until = time.monotonic() + 120
    while len(read_training_log(str(output))) < step:
        if time.monotonic() > until:
            return
        time.sleep(0.005)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "RayTrainWorker" in " ".join(process.cmdline()):
                os.kill(process.pid, how)


def test_a_killed_worker_a_damaged_list_and_a_second_run_end_with_the_same_bytes(
    job: TrainJob, undisturbed: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    killer = threading.Thread(target=kill_worker_at, args=(killed, 8), daemon=True)
    killer.start()
    with pytest.raises(StageFailed, match=r"training toy failed: .* running again goes on from there"):
        run_training(fields(job, killed), ONE)
    killer.join()
    before = read_training_log(str(killed))
    assert 8 <= len(before) < STEPS
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
    killer = threading.Thread(target=kill_worker_at, args=(tmp_path, 5, signal.SIGTERM), daemon=True)
    killer.start()
    # It is no failure, and the only checkpoint is that of the signal.
    model = run_training(fields(job, tmp_path), ONE.model_copy(update={"checkpoint_every_steps": 1000}))
    killer.join()
    assert Path(model, "model.safetensors").read_bytes() == (undisturbed / "model/model.safetensors").read_bytes()
    steps = read_training_log(str(tmp_path))
    assert [step["step"] for step in steps] == list(range(STEPS))
    assert [len(before) for before in starts[:1]] == [0]
    assert 5 <= len(starts[1]) < STEPS
    assert steps[: len(starts[1])] == starts[1]


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
