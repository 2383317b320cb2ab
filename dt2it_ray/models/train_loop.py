"""What every training worker runs: DeepSpeed ZeRO over pairs in a fixed order, resumed exactly from checkpoints."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from dt2it_ray.errors import Preempted
from dt2it_ray.models.collate import Encoder, open_encoder
from dt2it_ray.models.flops import Meter, peak_flops, step_costs
from dt2it_ray.models.held_out import held_out
from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.schedule import Schedule, new_schedule, share_of_peak
from dt2it_ray.models.train_boards import open_boards
from dt2it_ray.models.train_checkpoint import restore_arrays, restore_checkpoint, save_checkpoint
from dt2it_ray.models.train_engine import start_deepspeed, whole_weights
from dt2it_ray.models.train_evaluation import Evaluator, Standing, is_due
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_job import CHECKPOINTS, Session, TrainJob
from dt2it_ray.models.train_log import TrainLog, write_summary
from dt2it_ray.models.train_notice import Notice, Notices
from dt2it_ray.models.train_pass import Passes
from dt2it_ray.models.train_rows import TrainingRows, open_training_rows
from dt2it_ray.models.train_step import Trainer
from dt2it_ray.models.vision_looks import look_once

MODEL_FOLDER = "model"
"""Where in the output folder the finished reward model lies."""
BEST_FOLDER = f"{CHECKPOINTS}/best"
"""Where in the output folder the models of the best evaluations are until the end, by step."""


@dataclass(frozen=True)
class _Parts:
    """What one worker trains with."""

    job: TrainJob
    model: RewardModel
    encoder: Encoder
    schedule: Schedule
    trainer: Trainer
    all_pairs: Evaluator
    """Measures the pairs to learn from."""
    evaluator: Evaluator | None
    standing: Standing


def train(job: TrainJob, session: Session) -> None:
    """Train a reward model; the finished folder is `output`/model, written by worker 0.

    Raises:
        StageFailed: a loss or gradient is not finite, and the message names the pairs; or the checkpoint does not fit
            this number of workers, see `take_over`.
        Preempted: a worker was told to end, and a checkpoint was saved.
        ConfigError, InputError, StoreError: the settings or the inputs do not fit.
    """
    torch.set_num_threads(job.threads)
    parts = _prepare(job, session)
    with session.checkpoint() as folder:
        step = 0
        if folder is not None:
            state = restore_checkpoint(parts.trainer.engine, folder, session.world_size)
            step = int(state["step"])
            parts.standing.restore(state["standing"])
            parts.trainer.sampler.restore(restore_arrays(folder))
        torch.distributed.barrier()
    step = _run_steps(step, parts, session)
    if session.rank == 0:
        # Before the model: where the model is, the training counts as done.
        write_summary(job.output, parts.standing.best_step if job.settings.evaluation.keep == "best" else step - 1)
    _finish(parts, session)


def _prepare(job: TrainJob, session: Session) -> _Parts:
    settings, evaluation = job.settings, job.settings.evaluation
    rows = open_training_rows([*job.pairs_paths, *job.held_out_paths], job.rows_paths, settings.loss.critique.enabled)
    apart = held_out(rows, job.held_out_paths, evaluation, settings.seed)
    groups = TrainingGroups(rows if apart is None else rows.subset(~apart), settings.loss.kwise)
    schedule = new_schedule(job, len(groups), session.world_size, padded=not settings.model.shared_prompt)
    encoder = open_encoder(job.base, settings.collate, readout=settings.model.readout())
    model = new_reward_model(job.base, settings.precision, settings.seed, settings.model)
    model.to(job.device)
    if model.looks_stay and _looking_pays(rows, schedule):
        look_once(model, encoder, rows.images(), rows.num_images())
    # Before ZeRO splits the weights.
    peak = peak_flops(job.device, settings.precision, job.peak_tflops * 1e12) * session.world_size
    meter = Meter(step_costs(model.backbone), peak)
    engine = start_deepspeed(model, job, schedule)
    evaluator = None
    if apart is not None:
        measured = TrainingGroups(rows.subset(apart), settings.loss.kwise)
        evaluator = Evaluator(Passes(engine, encoder, measured, settings), schedule, session.rank)
    passes = Passes(engine, encoder, groups, settings)
    trainer = Trainer(passes, schedule, settings, session.rank, meter)
    all_pairs = Evaluator(passes, schedule, session.rank)
    return _Parts(job, model, encoder, schedule, trainer, all_pairs, evaluator, Standing(evaluation))


def _looking_pays(rows: TrainingRows, schedule: Schedule) -> bool:
    """Whether a worker would look at images more often in its steps than once at each."""
    return 0 < rows.num_images() <= len(rows) * schedule.epochs / schedule.world_size


def _run_steps(step: int, parts: _Parts, session: Session) -> int:
    """Take the steps that are left; returns how many were taken in all."""
    job, schedule, trainer = parts.job, parts.schedule, parts.trainer
    log = TrainLog(job.output, session.rank, step, open_boards(job, session, step))
    notices = Notices(session)
    while not _is_over(step, parts):
        told = _start_round(step, parts)
        figures = trainer.step(step, share_of_peak(step, schedule.steps, job.settings.warmup))
        figures |= told
        refused = list(trainer.refused)
        if parts.evaluator is not None and is_due(job.settings.evaluation, step + 1, schedule):
            figures |= _evaluate(step, parts, parts.evaluator, session)
            # Pairs of a table of their own are not among those of which the training gives account.
            refused += () if job.held_out_paths else parts.evaluator.refused
        log.write(step, figures, refused)
        step += 1
        notice = Notice.GO_ON if _is_over(step, parts) else notices.read()
        if notice is not Notice.GO_ON or (step % job.checkpoint_every_steps == 0 and not _is_over(step, parts)):
            _save(step, log.last, parts, session)
        if notice is Notice.LEAVE:
            log.close()
            raise Preempted(f"a worker was told to end; {step} of {schedule.steps} steps are done and saved.")
    log.close()
    return step


def _start_round(step: int, parts: _Parts) -> dict[str, Any]:
    """Make new weights of pairs if they are due; returns what the log says of them."""
    sampler = parts.trainer.sampler
    if not sampler.starts_round(step):
        return {}
    if sampler.settings.measure == "all":
        sampler.hear(parts.all_pairs.errors())
    return sampler.start_round(step)


def _is_over(step: int, parts: _Parts) -> bool:
    return step >= parts.schedule.steps or parts.standing.hopeless


def _save(step: int, metrics: Mapping[str, Any], parts: _Parts, session: Session) -> None:
    state = {"step": step, "standing": parts.standing.state()}
    save_checkpoint(parts.trainer.engine, state, metrics, session, parts.trainer.sampler.state())
    _forget_models(parts, session)


def _evaluate(step: int, parts: _Parts, evaluator: Evaluator, session: Session) -> dict[str, Any]:
    """The figures of held-out pairs after a step; keeps the model if it is the best and asked for."""
    figures = evaluator.measure(step)
    if parts.standing.take(step, figures) and parts.job.settings.evaluation.keep == "best":
        _save_model(parts, session, _best_folder(parts))
    return figures


def _save_model(parts: _Parts, session: Session, folder: Path) -> None:
    settings = parts.job.settings
    with whole_weights(parts.model, settings.zero_stage):
        if session.rank == 0:
            folder.parent.mkdir(parents=True, exist_ok=True)
            readout = settings.model.readout().model_dump()
            config = RewardConfig(
                name=parts.job.name,
                **readout,
                critiques=settings.loss.critique.enabled,
                writes_critiques=settings.loss.critique.weight > 0,
                collate=settings.collate,
                dtype=settings.precision,
            )
            save_reward_model(parts.model, parts.encoder, config, str(folder))


def _finish(parts: _Parts, session: Session) -> None:
    """Put the finished model in its place."""
    model = Path(parts.job.output, MODEL_FOLDER)
    if parts.job.settings.evaluation.keep == "last":
        _save_model(parts, session, model)
    elif session.rank == 0:
        os.replace(_best_folder(parts), model)
        shutil.rmtree(_best_folder(parts).parent, ignore_errors=True)
    torch.distributed.barrier()


def _best_folder(parts: _Parts) -> Path:
    # Named by its step: a training that goes on from an older checkpoint still finds the best model of that time.
    return Path(parts.job.output, BEST_FOLDER, str(parts.standing.best_step))


def _forget_models(parts: _Parts, session: Session) -> None:
    """Delete the models that were the best before the newest checkpoint was made."""
    kept = _best_folder(parts)
    if session.rank == 0 and kept.parent.is_dir():
        for folder in sorted(kept.parent.iterdir()):
            if folder != kept:
                shutil.rmtree(folder)
