"""How fast a reward model trains where answers share their prompt, beside passes of their own of the same pairs."""

import os
import tempfile
from pathlib import Path
from typing import Any

from dt2it_ray.models.backbones import TINY, find_backbone
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.speed.pairs import PROMPT_RATIO, draw_prompts, write_pairs
from dt2it_ray.speed.plain_training import train_plainly
from dt2it_ray.speed.turns import Round, figures_of, take_turns, timed

SETTINGS = TrainSettings(global_batch_pairs=32, learning_rate=1e-4, precision="float32")
WAYS = ("shared", "separate", "plain")
"""`shared` is what trainings do. `separate` is our trainer with shared_prompt=false: rows of like length, each image
once. `plain` is the common way, see `plain_training`."""
PAIRS = 128


def run_train_speed(
    pairs: int = PAIRS, rounds: int = 2, base: str = TINY, with_images: bool = True, ratio: float = PROMPT_RATIO
) -> dict[str, Any]:
    """Pairs a second of each way, in the median of the rounds, in which they take turns, each in a process of its own
    with all cores; the most memory of its process; and by how much losses of a step differ from those of `shared`."""
    with tempfile.TemporaryDirectory() as folder:
        job = speed_job(Path(folder), pairs, find_backbone(base).path, with_images, ratio)
        told = take_turns(WAYS, rounds, train_so, job)
    asked = {"pairs": pairs, "prompt_ratio": ratio, "rounds": rounds, "threads": job.threads}
    return {**asked, "last_loss": told["shared"][0].told[-1], **figures_of(told, pairs, "pairs")}


def speed_job(folder: Path, pairs: int, base: str, with_images: bool, ratio: float = PROMPT_RATIO) -> TrainJob:
    """A short training on pairs of mixed lengths, written to a folder."""
    pairs_path, rows_path = write_pairs(folder, draw_prompts(pairs, 2, with_images, ratio))
    return TrainJob(
        settings=SETTINGS,
        name="speed",
        base=base,
        pairs_paths=(pairs_path,),
        rows_paths=((rows_path,),),
        output=str(folder / "output"),
        micro_batch_pairs=8,
        threads=len(os.sched_getaffinity(0)),
    )


def train_so(way: str, job: TrainJob) -> Round:
    """The losses of all steps of a training."""
    import torch

    from dt2it_ray.models.train_rows import open_training_rows

    torch.set_num_threads(job.threads)
    groups = TrainingGroups(open_training_rows(job.pairs_paths, job.rows_paths), kwise=False)
    settings = job.settings
    batches = settings.global_batch_pairs, job.micro_batch_pairs
    schedule = Schedule(len(groups), settings.epochs, *batches, world_size=1, padded=way != "shared")
    if way == "plain":
        return train_plainly(job, groups, schedule)
    return _train_ours(job, groups, schedule, shared=way == "shared")


def _train_ours(job: TrainJob, groups: TrainingGroups, schedule: Schedule, shared: bool) -> Round:
    """By the trainer itself; a look at all images, where training begins with it, is part of the time."""
    from dt2it_ray.models.collate import open_encoder
    from dt2it_ray.models.reward_files import new_reward_model
    from dt2it_ray.models.schedule import share_of_peak
    from dt2it_ray.models.train_engine import start_deepspeed
    from dt2it_ray.models.train_pass import Passes
    from dt2it_ray.models.train_step import Trainer
    from dt2it_ray.models.vision_looks import look_once

    model_settings = ModelSettings(shared_prompt=shared)
    settings = job.settings.model_copy(update={"model": model_settings})
    _join_group_of_one(job.output)
    model = new_reward_model(job.base, settings.precision, settings.seed, model_settings).to(job.device)
    encoder = open_encoder(job.base, settings.collate, readout=model_settings.readout())
    engine = start_deepspeed(model, job, schedule)
    trainer = Trainer(Passes(engine, encoder, groups, settings), schedule, settings, 0)

    def steps() -> list[float]:
        if model.looks_stay:
            look_once(model, encoder, groups.rows.images(), groups.rows.num_images())
        shares = (share_of_peak(step, schedule.steps, settings.warmup) for step in range(schedule.steps))
        return [trainer.step(step, share)["loss"] for step, share in enumerate(shares)]

    return timed(steps)


def _join_group_of_one(folder: str) -> None:
    """A process group of this process alone, as Ray Train sets one up."""
    import torch.distributed

    here = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "TORCHDYNAMO_DISABLE": "1"}
    os.environ.update(here | ({} if torch.cuda.is_available() else {"DS_ACCELERATOR": "cpu"}))
    store = tempfile.mkdtemp(prefix="group-", dir=str(Path(folder).parent))
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}/store", rank=0, world_size=1)
