"""How `dt2it train` trains one reward model on preferences of any form, without the loop."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from dt2it_ray.errors import InputError, StepChanged
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.models.train_log import TRAINING_LOG, read_training_log
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.pipeline.drive import LOCK_FILE, Made, as_json, drive, plan_id_of, read_json
from dt2it_ray.pipeline.held_out_input import HELD_OUT, HELD_OUT_PAIRS, HeldOutSettings, plan_held_out
from dt2it_ray.pipeline.ingest_plan import LAST
from dt2it_ray.pipeline.own_folder import (
    DROPPED_FILE,
    explain_other_settings,
    forget_steps,
    placed,
    refuse_output_in_input,
    refused_rows,
    write_refused,
)
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.preference_input import ROWS, ReadingSettings, plan_reading
from dt2it_ray.pipeline.run_record import SUMMARY_FILE
from dt2it_ray.pipeline.step_state import finished
from dt2it_ray.settings import load_settings
from dt2it_ray.stages.ingested_prompts import LOAD_INGESTED_PROMPTS, JoinSettings
from dt2it_ray.stages.stage import NoSettings, Step, TrainPlacement
from dt2it_ray.stages.train import TRAIN, FitSettings
from dt2it_ray.stages.training_pairs import LOAD_CRITIQUED_PAIRS, LOAD_TRAINING_PAIRS, rows_of_pairs
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest

MODEL_FOLDER = "model"
"""Where the model is, in the folder of the train step and in the output."""
PAIRS_STEP = f"{ROWS}/pairs"
FEWEST_PAIRS = 2
"""Of one pair a model learns nothing but that pair; where a file has many rows, it is a fault of the file."""


class TrainRunSettings(ReadingSettings):
    """One training: what it learns from, what it starts from, and how."""

    name: str = Field(default="reward-model", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The model's name, which its folder keeps."""
    base: str = "tiny"
    """The checkpoint to start from: `tiny` (shipped), a folder of a backbone, or of a reward model."""
    train: TrainSettings = TrainSettings()
    """How it is trained."""
    held_out: HeldOutSettings | None = None
    """Pairs of one's own to evaluate on. None: `train.evaluation.held_out` may keep a share of the input's."""

    @model_validator(mode="after")
    def _writes_to_a_disk(self) -> "TrainRunSettings":
        if "://" in self.output:
            raise ValueError(
                f"output={self.output}: a training writes to a folder that all workers mount, not to a URI"
            )
        return self

    @model_validator(mode="after")
    def _holds_out_once(self) -> "TrainRunSettings":
        if self.held_out is not None and self.train.evaluation.held_out:
            raise ValueError(
                f"held_out names pairs to evaluate on, and train.evaluation.held_out={self.train.evaluation.held_out} "
                "keeps a share of the input for the same; leave one of them out"
            )
        return self

    def folder(self) -> str:
        """Path of the run."""
        return self.output

    def placed_training(self) -> TrainPlacement:
        """Where it is trained. Refused pairs make it fail only where `training.max_dropped` says so: they are told at
        the end."""
        told = "max_dropped" in self.training.model_fields_set
        return self.training if told else self.training.model_copy(update={"max_dropped": 1.0})


def load_train_settings(path: str | None, overrides: Sequence[str]) -> TrainRunSettings:
    """Settings from a file and from what is typed. Where no GPU is asked for and nothing says the precision, it is
    float32: bfloat16, the published one, is for accelerators.

    Raises:
        ConfigError: see `load_settings`.
    """
    settings = load_settings(TrainRunSettings, path, overrides)
    if settings.training.gpus or "precision" in settings.train.model_fields_set:
        return settings
    return load_settings(TrainRunSettings, path, overrides, defaults={"train": {"precision": "float32"}})


def plan_train(settings: TrainRunSettings) -> tuple[Step, ...]:
    """The steps of a training, each after the steps it reads.

    Raises:
        ConfigError, InputError: see `find_backbone` and `plan_reading`.
    """
    refuse_output_in_input(settings.files.input, settings.output)
    settings = settings.model_copy(update={"training": settings.placed_training()})
    planner = Planner(settings, find_backbone(settings.base))
    load = LOAD_CRITIQUED_PAIRS if settings.train.loss.critique.enabled else LOAD_TRAINING_PAIRS
    rows = {f"rows/{ROWS}": plan_reading(planner.add, settings)}
    inputs, apart = {}, {}
    if settings.held_out is not None:
        refuse_output_in_input(settings.held_out.files.input, settings.output)
        apart = {HELD_OUT: plan_held_out(planner.add, settings, settings.held_out)}
        held = {f"rows/{HELD_OUT}": apart[HELD_OUT]}
        inputs = {HELD_OUT: planner.add(HELD_OUT_PAIRS, load, NoSettings(), held)}
        # Both name prompts alike: by the order of these inputs, held-out rows first.
        rows = {**held, **rows}
    learned = {**apart, f"rows/{ROWS}": rows[f"rows/{ROWS}"]}
    inputs["pairs"] = planner.add(PAIRS_STEP, load, NoSettings(), learned)
    inputs["rows/outside"] = planner.add(f"{ROWS}/prompts", LOAD_INGESTED_PROMPTS, JoinSettings(), rows)
    fit = FitSettings(backbone=planner.backbone, train=settings.train)
    planner.add(_train_step(settings), TRAIN, fit, inputs)
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def _train_step(settings: TrainRunSettings) -> str:
    return f"{settings.name}/train"


def run_train(settings: TrainRunSettings) -> dict[str, Any]:
    """Do what is not done yet, and return what it came to, which is also in the folder's summary.json.

    Raises:
        ConfigError: see `plan_train`. StepChanged: the folder holds a training with other settings.
        InputError: a file cannot be read, or too few pairs can be used; then dropped.jsonl tells why.
        StageFailed, StoreError: the checkpoint or a step is at fault; the same call goes on where it stopped.
    """
    steps = plan_train(settings)
    run = Folder(settings.folder())
    with run.held(LOCK_FILE):
        summary = read_json(run, SUMMARY_FILE)
        if summary.get("plan") == plan_id_of(steps):
            return summary
        try:
            summary = _do(steps, run, settings)
        except StepChanged:
            groups, kept = ("files", "ingest", "base", "train", "held_out"), _train_step(settings)
            raise explain_other_settings(run, settings, groups, "a reward model", kept) from None
        # What was read can be read again; what it came to is the model.
        forget_steps(steps[:-1], run)
    return summary


def _do(steps: Sequence[Step], run: Folder, settings: TrainRunSettings) -> dict[str, Any]:
    for step in steps:
        # Before anything is read again for a model that would be another.
        finished(step, run)
    _refuse_base_without_tokenizer(settings, steps[-1])
    read = drive(steps[:-1], run, settings, settings.max_concurrent_steps).manifests
    pairs = read[PAIRS_STEP].counts.rows_out
    if pairs < FEWEST_PAIRS:
        raise _too_few(run, settings, write_refused(run, DROPPED_FILE, _refused(run, read)), pairs)
    if settings.held_out is not None and not read[HELD_OUT_PAIRS].counts.rows_out:
        write_refused(run, DROPPED_FILE, _refused(run, read))
        raise InputError(
            f"{settings.held_out.files.input}: no pair can be used to evaluate on. {run.path(DROPPED_FILE)} tells why, "
            "row by row."
        )
    driven = drive(steps, run, settings, settings.max_concurrent_steps)
    made = driven.manifests
    trained = made[_train_step(settings)]
    dropped = write_refused(run, DROPPED_FILE, _refused(run, made, trained))
    if not trained.counts.rows_out:
        forget_steps(steps[-1:], run)
        raise _too_few(run, settings, dropped, 0)
    output = Path(trained.data(run).path(""))
    put_beside(output / MODEL_FOLDER, Path(run.path(MODEL_FOLDER)))
    shutil.copyfile(output / TRAINING_LOG, run.path(TRAINING_LOG))
    summary = {
        "plan": plan_id_of(steps),
        "model": run.path(MODEL_FOLDER),
        "pairs": trained.counts.rows_out,
        "dropped": dropped,
        **({"held_out_pairs": made[HELD_OUT_PAIRS].counts.rows_out} if HELD_OUT_PAIRS in made else {}),
        **trained.metrics,
        **_tokens(read_training_log(str(output))),
        "wall_s": round(driven.wall_s, 1),
    }
    run.write(SUMMARY_FILE, as_json(summary))
    return summary


def _refuse_base_without_tokenizer(settings: TrainRunSettings, step: Step) -> None:
    """Raises StoreError if the checkpoint has no usable tokenizer, before anything is read or Ray starts."""
    from dt2it_ray.models.collate import open_encoder

    assert isinstance(step.settings, FitSettings)
    open_encoder(step.settings.backbone.path, settings.train.collate, readout=settings.train.model.readout())


def _too_few(run: Folder, settings: TrainRunSettings, dropped: Mapping[str, int], pairs: int) -> InputError:
    told = ", ".join(f"{reason} {rows:,}" for reason, rows in dropped.items()) or "nothing was refused"
    return InputError(
        f"{settings.files.input}: {pairs} pairs can be used ({told}), and a reward model needs at least {FEWEST_PAIRS} "
        f"different ones. {run.path(DROPPED_FILE)} tells why, row by row."
    )


def _refused(run: Folder, made: Made, trained: Manifest | None = None) -> Iterator[dict[str, Any]]:
    """Every refused row with its place in the input; of a pair that only the training refused, by its row's place. Rows
    of the held-out pairs say so."""
    read = [manifest for name, manifest in made.items() if name.startswith(f"{ROWS}/")]
    yield from map(placed, refused_rows(run, read))
    apart = [manifest for name, manifest in made.items() if name.startswith(f"{HELD_OUT}/")]
    yield from ({**placed(row), "held_out": True} for row in refused_rows(run, apart))
    if trained is None or not trained.dropped:
        return
    steps = {f"rows/{ROWS}": f"{ROWS}/{LAST}", HELD_OUT: f"{HELD_OUT}/{LAST}"}
    places = rows_of_pairs({name: made[step].data(run) for name, step in steps.items() if step in made})
    for row in refused_rows(run, [trained]):
        yield placed({**row, "key": places[row["key"]], "detail": f"whole row: {row['detail']}"})


def _tokens(log: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tokens that the steps of a training log read, all together and per second."""
    tokens = sum(line["tokens"] for line in log)
    seconds = sum(line["tokens"] / line["tokens_per_s"] for line in log if line["tokens_per_s"])
    return {"tokens": tokens, "tokens_per_s": round(tokens / seconds, 1) if seconds else 0.0}


def put_beside(made: Path, output: Path) -> None:
    """Make the files of a folder also those of another, which is replaced, without a second copy where that can be."""
    draft = output.with_name(f"{output.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(made, draft, copy_function=os.link)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(made, draft)
    shutil.rmtree(output, ignore_errors=True)
    draft.rename(output)
