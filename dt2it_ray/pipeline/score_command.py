"""How `dt2it score` writes the rewards of every answer of a file, in its order, without the loop."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.parquet as pq
from pydantic import Field, model_validator

from dt2it_ray.data.answered import SCORED
from dt2it_ray.data.formats.sources import find_source
from dt2it_ray.data.ids import content_id
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.models.backbones import TINY, Backbone, find_backbone
from dt2it_ray.models.critic_settings import CriticSettings, find_critic
from dt2it_ray.models.ensemble import read_ensemble
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.pipeline.drive import LOCK_FILE, Made, drive
from dt2it_ray.pipeline.own_folder import placed, refuse_output_in_input, refused_rows, write_refused
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.preference_files import dropped_name, rows_of, write_json
from dt2it_ray.pipeline.preference_input import ROWS, ReadingSettings, adopted, plan_reading
from dt2it_ray.stages.answered_rows import LOAD_ANSWERED, AnsweredFiles
from dt2it_ray.stages.ingest_settings import DuplicateSettings
from dt2it_ray.stages.score_rows import SCORE_ANSWERS, SCORE_PAIRS, ScoreRowsSettings
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder, place_of
from dt2it_ray.store.manifest import Manifest

ANSWERS = "answers"
"""The format of rows of a prompt with a list of answers."""
SCORE_STEP = "score"
SUFFIXES = (".parquet", ".jsonl")
STEPS = ".steps"


class ScoreRunSettings(ReadingSettings):
    """One scoring: which rows, by which models. Rows that repeat others are scored like all."""

    name: str = "score"
    """Not used: the steps are kept in `OUTPUT.steps` until the output is written."""
    models: tuple[str, ...] = Field(min_length=1)
    """Folders of reward models, ours or another's, or of ensembles. Of several the mean counts."""
    score: ScoreSettings = ScoreSettings()
    """How they are read out."""
    critic: CriticSettings = CriticSettings()
    """Who writes the critiques that models read which were trained with some."""

    @model_validator(mode="after")
    def _writes_a_known_kind(self) -> "ScoreRunSettings":
        if PurePosixPath(self.output).suffix not in SUFFIXES:
            raise ValueError(f"output={self.output}: its name must end in {' or '.join(SUFFIXES)}")
        return self

    def folder(self) -> str:
        """Path or URI of the steps."""
        return f"{self.output}{STEPS}"


def plan_score(settings: ScoreRunSettings) -> tuple[Step, ...]:
    """The steps of a scoring, each after the steps it reads.

    Raises:
        ConfigError: a model's folder holds none, or there is no such format. InputError: there is no such file.
    """
    refuse_output_in_input(settings.files.input, settings.output)
    planner = Planner(settings, find_backbone(TINY))
    answers = settings.ingest.format == ANSWERS and adopted(settings) is None
    rows = _plan_answers(planner, settings) if answers else plan_reading(planner.add, _with_repeats(settings))
    models = tuple(find_model(folder) for folder in settings.models)
    critic = find_critic(settings.critic, (model.path for model in models))
    how = ScoreRowsSettings(models=models, score=settings.score, critic=critic)
    planner.add(SCORE_STEP, SCORE_ANSWERS if answers else SCORE_PAIRS, how, {"rows": rows})
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def _plan_answers(planner: Planner[ScoreRunSettings], settings: ScoreRunSettings) -> Step:
    source = find_source(settings.files.input, Folder)
    root = settings.files.image_root or source.folder.path("")
    read = AnsweredFiles(address=settings.files.input, files=source.hashes(), root=root)
    return planner.add(f"{ROWS}/load", LOAD_ANSWERED, read, {})


def _with_repeats(settings: ScoreRunSettings) -> ScoreRunSettings:
    ingest = settings.ingest.model_copy(update={"duplicates": DuplicateSettings(within="none")})
    return settings.model_copy(update={"ingest": ingest})


def find_model(folder: str) -> Backbone:
    """The reward model or ensemble in a folder, by its content.

    Raises:
        ConfigError: there is none. StoreError: a member of an ensemble is missing.
    """
    place = Path(folder).expanduser().resolve()
    ensemble = read_ensemble(str(place))
    if ensemble is not None:
        members, config = ensemble
        digests = (find_model(member).digest for member in members)
        return Backbone(path=str(place), digest=content_id("ensemble", int(config.calibrated), *digests))
    if not (place / "config.json").is_file():
        raise ConfigError(f"model={folder}: {place} holds no config.json; name the folder of a reward model")
    return find_backbone(str(place))


def run_score(settings: ScoreRunSettings) -> dict[str, Any]:
    """Score what is not scored yet, write the output and the refused rows, and return what it came to.

    Raises:
        ConfigError: see `plan_score`. InputError: a file cannot be read, or no row can be scored.
        StepChanged: an interrupted call with other settings left its steps beside the output.
        StageFailed, StoreError: a model or a step is at fault; the same call goes on where it stopped.
    """
    steps = plan_score(settings)
    run = Folder(settings.folder())
    with run.held(LOCK_FILE):
        driven = drive(steps, run, settings, settings.max_concurrent_steps)
        made = driven.manifests
        beside, name = place_of(settings.output)
        dropped = write_refused(beside, dropped_name(name), _refused(run, made))
        scored = made[SCORE_STEP]
        if scored.counts.rows_out:
            _write(run, scored, beside, name)
    if not scored.counts.rows_out:
        told = ", ".join(f"{reason} {rows:,}" for reason, rows in dropped.items()) or "there are none"
        raise InputError(
            f"{settings.files.input}: no row can be scored as {settings.ingest.format} ({told}). "
            f"{beside.path(dropped_name(name))} tells why, row by row."
        )
    beside.delete(f"{name}{STEPS}")
    return {"rows": scored.counts.rows_out, "dropped": dropped, "wall_s": round(driven.wall_s, 1)}


def _refused(run: Folder, made: Made) -> Iterator[Mapping[str, Any]]:
    read = [manifest for name, manifest in made.items() if name != SCORE_STEP]
    yield from map(placed, refused_rows(run, read))
    for row in refused_rows(run, [made[SCORE_STEP]]):
        yield placed({**row, "detail": f"whole row: {row['detail']}"})


def _write(run: Folder, scored: Manifest, folder: Folder, name: str) -> None:
    """Write the rows in the order of the source, which that of their ids is."""
    tables = rows_of(run, scored)
    if name.endswith(".jsonl"):
        write_json((row for table in tables for row in table.to_pylist()), folder, name, as_list=False)
        return
    with folder.replacing(name) as stream, pq.ParquetWriter(stream, SCORED, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.cast(SCORED))
