"""How a training runs on Ray Train: workers, restarts, checkpoints; what it computes stands in models/train_loop.py."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dt2it_ray.engine.checkpoint_list import newest_unlisted
from dt2it_ray.engine.sigterm import told_to_end
from dt2it_ray.engine.train_gauges import TrainGauges
from dt2it_ray.errors import Dt2itError, Preempted, StageFailed
from dt2it_ray.models.train_job import CHECKPOINTS
from dt2it_ray.stages.stage import TrainPlacement

RUN_NAME = "training"
BOARDS = ("tensorboard", "wandb_project", "mlflow_uri", "mlflow_experiment")
"""Fields of a placement that are those of a job."""
MACHINES_TIMEOUT_S = 1200
"""How long workers may wait for room. Ray's 60 s would start over for ever while a cluster brings up machines."""
ROOM_TIMEOUT_S = 30
"""The same in an elastic training, which begins with as many workers as there is room for. Ray looks at that room every
20 s only: workers that it puts on a machine that has gone wait in vain, and after this long it counts anew."""


def run_training(job: Mapping[str, Any], placement: TrainPlacement) -> str:
    """Train on the Ray session that is running; blocks until done and returns the folder of the reward model.

    Called again with the same output folder after any crash, it goes on from the last checkpoint; with a finished
    model in it, it returns at once. A worker that gets SIGTERM saves and ends, and the training goes on at once; so it
    does when a machine goes, of which Ray tells before. `job` holds the fields of `models.train_loop.TrainJob` up to
    `output`, and `task`: whether a model learns `rewards` (the default) or `answers`.

    Raises:
        StageFailed: the inputs or the figures are at fault, or workers died `max_failures` + 1 times; one paragraph
            with the cause.
    """
    from ray.exceptions import RayError
    from ray.train import TrainingFailedError

    output = os.path.abspath(job["output"])
    model = os.path.join(output, "model")
    failures = 0
    os.makedirs(output, exist_ok=True)
    while not os.path.isdir(model):
        try:
            with _told_to_ray(placement):
                _trainer({**job, "output": output}, placement).fit()
        except (TrainingFailedError, RayError) as error:
            cause = _cause(error)
            # Whoever dies after the model was written has done all there was to do.
            if isinstance(cause, Preempted) or os.path.isdir(model):
                continue
            failures += 1
            # Our own errors are faults of the inputs or the figures: the next try would end the same way.
            if isinstance(cause, Dt2itError) or failures > placement.max_failures:
                raise StageFailed(_explain(cause, job["name"], output)) from None
            continue
        if not os.path.isdir(model):
            raise StageFailed(
                f"training {job['name']} ended, but {model} is not here: its workers write to another disk. Put the "
                "run folder on one that all machines mount."
            )
    shutil.rmtree(os.path.join(output, CHECKPOINTS), ignore_errors=True)
    return model


def _trainer(job: Mapping[str, Any], placement: TrainPlacement) -> Any:
    """A trainer that goes on from the newest checkpoint in the output folder."""
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    gpu = placement.gpus > 0
    storage = os.path.join(job["output"], CHECKPOINTS)
    resources = {"CPU": placement.cpus} | ({"GPU": placement.gpus} if gpu else {})
    return TorchTrainer(
        train_worker,
        train_loop_config={
            **job,
            **_worker_fields(placement),
            "resume_from": newest_unlisted(Path(storage, RUN_NAME)),
        },
        # Sums of counts stay on the CPU.
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=_numbers(placement),
            use_gpu=gpu,
            resources_per_worker=resources,
            elastic_resize_monitor_interval_s=placement.resize_check_s,
        ),
        run_config=RunConfig(
            name=RUN_NAME,
            storage_path=storage,
            # Restarts are counted in `run_training`, which can tell a dead worker from an error of ours.
            failure_config=FailureConfig(max_failures=0),
            checkpoint_config=CheckpointConfig(num_to_keep=placement.keep_checkpoints),
        ),
    )


@contextlib.contextmanager
def _told_to_ray(placement: TrainPlacement) -> Iterator[None]:
    """Variables that Ray Train reads when a training begins. What the user set stays."""
    elastic = not isinstance(_numbers(placement), int)
    wanted = {
        # The controller looks at its workers this often; the default of 2 s is a third of a small training.
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(ROOM_TIMEOUT_S if elastic else MACHINES_TIMEOUT_S),
    }
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ |= added
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def train_worker(config: dict[str, Any]) -> None:
    """What each Ray Train worker runs."""
    if config["device"] == "cpu":
        # DeepSpeed picks its accelerator when it is imported.
        os.environ["DS_ACCELERATOR"] = "cpu"
        # DeepSpeed asks for a compiled optimizer that we do not use; loading the compiler takes a second or more.
        os.environ["TORCHDYNAMO_DISABLE"] = "1"
    from dt2it_ray.models.adapt_loop import adapt
    from dt2it_ray.models.train_loop import TrainJob, train
    from dt2it_ray.models.train_settings import TrainSettings

    fields = {name: value for name, value in config.items() if name not in ("task", "resume_from")}
    job = TrainJob(**{**fields, "settings": TrainSettings.model_validate(config["settings"])})
    learn = {"rewards": train, "answers": adapt}[config.get("task", "rewards")]
    with told_to_end() as told:
        learn(job, _RaySession(told, job.name, config.get("resume_from")))


class _RaySession:
    """Implements `models.train_loop.Session` on Ray Train."""

    def __init__(self, told: threading.Event, name: str, resume_from: str | None) -> None:
        """`told` is set when this process is told to end; `name` is that of the model; `resume_from` is a folder to go
        on from if Ray knows of no checkpoint."""
        from ray import train

        context, self._told, self._gauges = train.get_context(), told, TrainGauges(name)
        self._resume_from = resume_from
        self.rank, self.world_size = context.get_world_rank(), context.get_world_size()

    @contextlib.contextmanager
    def checkpoint(self) -> Iterator[str | None]:
        from ray import train

        newest = train.get_checkpoint()
        if newest is None:
            yield self._resume_from
            return
        with newest.as_directory() as folder:
            yield folder

    def report(self, metrics: Mapping[str, Any], folder: str) -> None:
        from ray import train

        train.report(dict(metrics), checkpoint=train.Checkpoint.from_directory(folder))

    def show(self, figures: Mapping[str, float]) -> None:
        self._gauges.set(figures)

    def leaving(self) -> bool:
        return self._told.is_set()

    def warned(self) -> bool:
        from ray import train

        return train.get_preemption_info() is not None


def _numbers(placement: TrainPlacement) -> int | tuple[int, int]:
    """How many workers there are, or the fewest and the most of an elastic training."""
    elastic = placement.max_workers > placement.workers
    return (placement.workers, placement.max_workers) if elastic else placement.workers


def _worker_fields(placement: TrainPlacement) -> dict[str, Any]:
    return {
        "micro_batch_pairs": placement.micro_batch_pairs,
        "micro_batch_tokens": placement.micro_batch_tokens,
        "threads": max(1, int(placement.cpus)),
        "checkpoint_every_steps": placement.checkpoint_every_steps,
        "device": "cuda" if placement.gpus else "cpu",
        "gradient_checkpointing": placement.gradient_checkpointing,
        "attention": placement.attention,
        "peak_tflops": placement.peak_tflops,
        "offload": placement.offload,
        **{name: getattr(placement, name) for name in BOARDS},
    }


def _cause(error: Exception) -> Exception:
    """Our own error of the first worker that has one, else the first error of any kind."""
    failures = [failure for _, failure in sorted(getattr(error, "worker_failures", {}).items())]
    causes = [getattr(failure, "cause", None) or failure for failure in failures] or [error]
    return next((cause for cause in causes if isinstance(cause, Dt2itError)), causes[0])


def _explain(cause: Exception, name: str, output: str) -> str:
    if isinstance(cause, Dt2itError):
        return f"training {name} failed: {cause} Its log and checkpoints are in {output}."
    text = f"{type(cause).__name__}: {_last_line(str(cause))}"
    return f"training {name} failed: {text} Its log and checkpoints are in {output}; running again goes on from there."


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"
