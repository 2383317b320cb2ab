"""What every training worker runs: DeepSpeed ZeRO over pairs in a fixed order, resumed exactly from checkpoints."""

import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed

from dt2it_ray.errors import StageFailed, StoreError
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.schedule import Schedule, share_of_peak
from dt2it_ray.models.shortcut import ShortcutAware
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_log import TrainLog, write_summary
from dt2it_ray.models.train_rows import open_training_rows
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.models.train_step import PEAK, Trainer
from dt2it_ray.models.vision_looks import look_once

MODEL_FOLDER = "model"
"""Where in the output folder the finished reward model lies."""
CHECKPOINT_TAG = "state"
WORKERS_FILE = "workers"
"""In a checkpoint: how many workers made it. DeepSpeed's optimizer states are cut for that number."""


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """One training: what to learn from what, and where to put it. Plain values, so that it travels to workers."""

    settings: TrainSettings
    name: str
    """Name of the reward model, e.g. `iter-01/voter-0`."""
    base: str
    """Folder of the checkpoint to start from."""
    pairs_paths: tuple[str, ...]
    """Parquet part files of the pairs, in order."""
    rows_paths: tuple[tuple[str, ...], ...]
    """See `open_training_rows`."""
    output: str
    """Folder for the model, the training log and the pairs that could not be used."""
    micro_batch_pairs: int = 16
    """Most pairs of one forward pass."""
    threads: int = 1
    """CPU threads of a worker."""
    checkpoint_every_steps: int = 50
    device: str = "cpu"
    gradient_checkpointing: bool = False
    """Compute activations twice to save memory. Changes no weight."""
    tensorboard: bool = False
    """Write the log for TensorBoard too."""


class Session(Protocol):
    """What a worker asks of whoever runs it."""

    rank: int
    world_size: int

    def checkpoint(self) -> AbstractContextManager[str | None]:
        """A local folder with this worker's newest checkpoint while the block lasts, or None at the start."""
        ...

    def report(self, metrics: Mapping[str, Any], folder: str) -> None:
        """Store this worker's part of a checkpoint from a local folder. All workers call it and wait for each other."""
        ...


def train(job: TrainJob, session: Session) -> None:
    """Train a reward model; the finished folder is `output`/model, written by worker 0.

    Raises:
        StageFailed: a loss or gradient is not finite, and the message names the pairs; or the checkpoint to go on from
            was made by another number of workers.
        InputError, StoreError: the inputs do not fit.
    """
    torch.set_num_threads(job.threads)
    settings = job.settings
    rows = open_training_rows(job.pairs_paths, job.rows_paths)
    groups = TrainingGroups(rows, settings.loss.kwise)
    schedule = Schedule(
        len(groups), settings.epochs, settings.global_batch_pairs, job.micro_batch_pairs, session.world_size
    )
    encoder = open_encoder(job.base, settings.collate, readout=settings.model.readout())
    model = new_reward_model(job.base, settings.precision, settings.seed, settings.model)
    model.to(job.device)
    if model.looks_stay and _looking_pays(len(rows), rows.num_images(), schedule):
        look_once(model, encoder, rows.images(), rows.num_images())
    engine = _start_deepspeed(model, job, schedule)
    with session.checkpoint() as folder:
        step = _resume(engine, folder, session.world_size)
        torch.distributed.barrier()
    _run_steps(step, Trainer(engine, encoder, groups, schedule, settings, session.rank), schedule, job, session)
    with _whole_weights(model, settings.zero_stage):
        if session.rank == 0:
            # Before the model: where the model is, the training counts as done.
            write_summary(job.output)
            readout = settings.model.readout().model_dump()
            config = RewardConfig(name=job.name, **readout, collate=settings.collate, dtype=settings.precision)
            save_reward_model(model, encoder, config, str(Path(job.output, MODEL_FOLDER)))
    torch.distributed.barrier()


def _looking_pays(num_pairs: int, num_images: int, schedule: Schedule) -> bool:
    """Whether a worker would look at images more often in its steps than once at each."""
    return 0 < num_images <= num_pairs * schedule.epochs / schedule.world_size


def deepspeed_config(settings: TrainSettings, job: TrainJob, schedule: Schedule, parameters: int) -> dict[str, Any]:
    """DeepSpeed's configuration. Sizes of buckets follow the model, so that a small one does not reserve gigabytes."""
    bucket = min(parameters + 1024, 500_000_000)
    return {
        "train_micro_batch_size_per_gpu": job.micro_batch_pairs,
        "gradient_accumulation_steps": schedule.micro_batches,
        "train_batch_size": job.micro_batch_pairs * schedule.micro_batches * schedule.world_size,
        "gradient_clipping": settings.max_grad_norm,
        "bf16": {"enabled": settings.precision == "bfloat16"},
        "zero_optimization": {
            "stage": settings.zero_stage,
            "reduce_bucket_size": bucket,
            "allgather_bucket_size": bucket,
            "overlap_comm": job.device != "cpu",
        },
        "zero_allow_untested_optimizer": True,
        "optimizer": {
            "type": "AdamW",
            # DeepSpeed's own are compiled at the first start.
            "params": {"lr": settings.learning_rate, "betas": [0.9, settings.beta2], "torch_adam": True},
        },
        "steps_per_print": 1_000_000_000,
    }


def _start_deepspeed(model: RewardModel, job: TrainJob, schedule: Schedule) -> Any:
    import deepspeed
    import deepspeed.ops

    if job.device == "cpu":
        # Else DeepSpeed compiles an all-reduce of its own at the first start, where it finds a compiler.
        deepspeed.ops.__compatible_ops__ = {}
    settings = job.settings
    model.train()
    if job.gradient_checkpointing:
        model.backbone.gradient_checkpointing_enable()
    learner, head = model, list(model.readers.parameters())
    if settings.loss.shortcut.enabled:
        learner = ShortcutAware(model, settings.loss.shortcut, settings.seed).to(job.device)
        head += learner.proxy.parameters()
    trained = [parameter for parameter in model.backbone.parameters() if parameter.requires_grad]
    decay, rate = settings.weight_decay, settings.learning_rate
    # DeepSpeed takes groups, though its annotation says a module.
    groups: Any = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay, PEAK: rate},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0, PEAK: rate},
        {"params": head, "weight_decay": decay, PEAK: settings.head_learning_rate or rate},
    ]
    engine, *_ = deepspeed.initialize(
        model=learner,
        model_parameters=groups,
        config=deepspeed_config(settings, job, schedule, sum(parameter.numel() for parameter in [*trained, *head])),
        dist_init_required=False,
    )
    return engine


def _resume(engine: Any, folder: str | None, workers: int) -> int:
    """The step to go on from."""
    if folder is None:
        return 0
    before = int(Path(folder, WORKERS_FILE).read_text())
    if before != workers:
        raise StageFailed(
            f"it was begun with {before} workers and cannot go on with {workers}: set training.workers={before} again, "
            "or delete the checkpoints to start from the first step."
        )
    found, state = engine.load_checkpoint(folder, tag=CHECKPOINT_TAG)
    if found is None:
        raise StoreError(f"{folder} holds no checkpoint of this training; delete it to start again from the first step")
    return int(state["step"])


def _run_steps(step: int, trainer: Trainer, schedule: Schedule, job: TrainJob, session: Session) -> None:
    settings = job.settings
    log = TrainLog(job.output, session.rank, step, job.tensorboard)
    while step < schedule.steps:
        share = share_of_peak(step, schedule.steps, settings.warmup)
        log.write(step, trainer.step(step, share), trainer.refused)
        step += 1
        if step % job.checkpoint_every_steps == 0 and step < schedule.steps:
            _save_checkpoint(trainer.engine, step, log.last, session)
    log.close()


def _save_checkpoint(engine: Any, step: int, metrics: Mapping[str, Any], session: Session) -> None:
    with tempfile.TemporaryDirectory(prefix="dt2it-checkpoint-") as folder:
        # The newest step needs no "latest" file: the tag is always the same.
        engine.save_checkpoint(folder, tag=CHECKPOINT_TAG, client_state={"step": step}, save_latest=False)
        if session.rank == 0:
            Path(folder, WORKERS_FILE).write_text(str(session.world_size))
        session.report(metrics, folder)


def _whole_weights(model: RewardModel, zero_stage: int) -> AbstractContextManager[None]:
    """While this lasts, every worker holds all weights (ZeRO-3 splits them over the workers)."""
    if zero_stage < 3:
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(list(model.parameters()))
