"""What every worker that fine-tunes a backbone's language model runs: the loop of reward training over other losses."""

from pathlib import Path

import torch
import torch.distributed

from dt2it_ray.errors import Preempted
from dt2it_ray.models.adapt_pass import AnswerPasses
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.language_model import LanguageModel, save_language_model
from dt2it_ray.models.schedule import Schedule, new_schedule, share_of_peak
from dt2it_ray.models.train_boards import open_boards
from dt2it_ray.models.train_checkpoint import restore_checkpoint, save_checkpoint
from dt2it_ray.models.train_engine import start_deepspeed, whole_weights
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_job import Session, TrainJob
from dt2it_ray.models.train_log import TrainLog, write_summary
from dt2it_ray.models.train_loop import MODEL_FOLDER
from dt2it_ray.models.train_notice import Notice, Notices
from dt2it_ray.models.train_rows import open_training_rows
from dt2it_ray.models.train_step import Trainer


def adapt(job: TrainJob, session: Session) -> None:
    """Fine-tune on the chosen answers of the pairs, each once; the finished folder is `output`/model.

    Raises:
        StageFailed, Preempted, InputError, StoreError: as `train`.
    """
    torch.set_num_threads(job.threads)
    settings = job.settings
    groups = TrainingGroups(open_training_rows(job.pairs_paths, job.rows_paths), kwise=True)
    schedule = new_schedule(job, len(groups), session.world_size)
    encoder = open_encoder(job.base, settings.collate, readout=settings.model.readout())
    model = LanguageModel(job.base, settings.precision, settings.model)
    model.to(job.device)
    engine = start_deepspeed(model, job, schedule)
    step = 0
    with session.checkpoint() as folder:
        if folder is not None:
            step = int(restore_checkpoint(engine, folder, session.world_size)["step"])
        torch.distributed.barrier()
    trainer = Trainer(AnswerPasses(engine, encoder, groups), schedule, settings, session.rank)
    _run_steps(step, trainer, schedule, job, session)
    with whole_weights(model, settings.zero_stage):
        if session.rank == 0:
            # Before the model: where the model is, the step counts as done.
            write_summary(job.output, schedule.steps - 1)
            save_language_model(model, encoder, settings.precision, str(Path(job.output, MODEL_FOLDER)))
    torch.distributed.barrier()


def _run_steps(step: int, trainer: Trainer, schedule: Schedule, job: TrainJob, session: Session) -> None:
    log = TrainLog(job.output, session.rank, step, open_boards(job, session, step))
    notices = Notices(session)
    while step < schedule.steps:
        log.write(step, trainer.step(step, share_of_peak(step, schedule.steps, job.settings.warmup)), trainer.refused)
        step += 1
        notice = notices.read() if step < schedule.steps else Notice.GO_ON
        if notice is not Notice.GO_ON or (step % job.checkpoint_every_steps == 0 and step < schedule.steps):
            save_checkpoint(trainer.engine, {"step": step}, log.last, session)
        if notice is Notice.LEAVE:
            log.close()
            raise Preempted(f"a worker was told to end; {step} of {schedule.steps} steps are done and saved.")
    log.close()
