"""How pairs are constructed for a data set of one's own: from a file of questions, or of pairs, to a file of pairs."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field, model_validator

from dt2it_ray.data.formats.containers.compressed import plain_name
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.data.preferences import CRITIQUED_PREFERENCES, PREFERENCES
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.construct_output import OUTPUT_STEP, ReasonChoice, check_reasons, plan_output
from dt2it_ray.pipeline.construct_plan import plan_construction
from dt2it_ray.pipeline.drive import LOCK_FILE, Made, as_json, drive
from dt2it_ray.pipeline.granular_plan import SETS_STEP, Answered, GranularSettings, plan_granular, write_sets
from dt2it_ray.pipeline.job_folder import refuse_lost_files
from dt2it_ray.pipeline.measure_plan import labels_of, plan_measures
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.preference_files import check_output, rows_of, write_dropped, write_preferences
from dt2it_ray.pipeline.run_record import SUMMARY_FILE
from dt2it_ray.pipeline.run_settings import PlacedSettings
from dt2it_ray.pipeline.usage import usage_of
from dt2it_ray.stages import outside
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder

BLOCK_BYTES = 1 << 20


class ConstructRunSettings(PlacedSettings):
    """One construction: what is read, who answers, who judges, which pairs are formed, and what is written."""

    name: str = Field(default="construct", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder under `root`, where every step is kept. The same name resumes."""
    input: str
    """File of rows of any kind in docs/formats.md: flat ones, LLaMA-Factory's, or with PROMPTS columns."""
    image_root: str = ""
    """Folder that paths of images are relative to. Empty: that of the input."""
    source: str = ""
    """The data set's name in every pair. Empty: the input's name without its ending."""
    output: str
    """File of pairs: `.json`, `.jsonl` or `.parquet`."""
    to: Literal["llama_factory", "trl", "ms_swift", "flat", "rlaif_v", "skywork", "tulu", "hh_rlhf"] = "llama_factory"
    """Rows of a JSON output; see docs/formats.md."""
    backbone: str = "tiny"
    """The checkpoint that answers where an engine is `transformers`: `tiny` (shipped) or a folder."""
    construction: ConstructSettings = ConstructSettings()
    """How debiased pairs are made."""
    critiques: ReasonChoice | None = None
    """Also keep what a pointwise judge said of both answers, as `chosen_critique` and `rejected_critique` of each pair.
    None: judges' reasons are not kept."""
    granular: GranularSettings | None = None
    """Also rate the candidates on five attributes, and write training sets to OUTPUT.sets. None: they are not rated."""

    @model_validator(mode="after")
    def _can_write_its_output(self) -> "ConstructRunSettings":
        check_output(self.input, self.output)
        if self.critiques is not None:
            check_reasons(self.critiques, self.construction, "" if self.output.endswith(".parquet") else self.to)
        return self


def plan_construct(settings: ConstructRunSettings) -> tuple[Step, ...]:
    """The steps of a construction, each after the steps it reads.

    Raises:
        ConfigError: the input or the backbone is not there, or a step cannot be where it is placed.
    """
    # Also told by `refuse_misplaced`, but only after a relative input was looked for in vain.
    refuse_lost_files(settings)
    planner = Planner(settings, find_backbone(settings.backbone))
    file = _outside_file(settings)
    loaded = planner.add("input/load", outside.LOAD_PROMPTS, file, {})
    _refuse_simulated_judges(settings, file)
    root = outside.ImageRoot(folder=settings.image_root or file.folder)
    rows = planner.add("input/rows", outside.OPEN_IMAGES, root, {"rows": loaded})
    made = plan_construction(planner.add, settings.construction, planner.backbone, rows)
    labelled = labels_of(planner.add, "input/pairs", rows)
    features = plan_measures(planner.add, settings.construction, rows, made, labelled)
    if settings.granular:
        answered = Answered(rows, made.candidates, features.constructed)
        measuring = settings.construction.reliability
        plan_granular(planner.add, settings.granular, measuring, planner.backbone, answered)
    plan_output(planner.add, planner.backbone, rows, made, settings.critiques, settings.construction)
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def run_construction(settings: ConstructRunSettings) -> dict[str, Any]:
    """Do what is not done yet, write the output, and return what it came to.

    Raises:
        ConfigError: see `plan_construct`.
        StepChanged: a finished step would be made differently now.
        StageFailed, StoreError, InputError: a step failed; the same call resumes behind what is sealed.
    """
    steps = plan_construct(settings)
    run = Folder(settings.folder())
    with run.held(LOCK_FILE):
        driven = drive(steps, run, settings, settings.max_concurrent_steps)
        manifests = driven.manifests
        columns = CRITIQUED_PREFERENCES if settings.critiques else PREFERENCES
        written = write_preferences(rows_of(run, manifests[OUTPUT_STEP]), settings.output, settings.to, columns)
        summary: dict[str, Any] = {
            "pairs": written.rows,
            "dropped": write_dropped(run, manifests, settings.output, written.refused),
            "wall_s": round(driven.wall_s, 1),
            "peak_rss_mib": round(driven.peak_mib),
            "simulated": _simulated_judges(settings),
            "engines": usage_of(manifests.values()),
            "steps": _told_steps(manifests),
        }
        if settings.granular:
            files = write_sets(run, manifests[SETS_STEP], settings.granular.files, f"{settings.output}.sets")
            summary["granular_sets"] = files
        run.write(SUMMARY_FILE, as_json(summary))
    return summary


def _told_steps(manifests: Made) -> dict[str, Any]:
    """Rows in, out and dropped by reason, and the figures of every step."""
    return {
        name: {
            "rows_in": manifest.counts.rows_in,
            "rows_out": manifest.counts.rows_out,
            "dropped": dict(manifest.counts.reasons),
            **({"figures": manifest.metrics} if manifest.metrics else {}),
        }
        for name, manifest in manifests.items()
    }


def _refuse_simulated_judges(settings: ConstructRunSettings, file: outside.OutsideFile) -> None:
    """Raises ConfigError if a judge has no engine, before anything is sampled for it to judge; a simulated one knows
    planted truth only, which rows of the embedded world carry."""
    first = next(read_records(Folder(file.folder), file.name), None)
    if first is None or (isinstance(first.fields, Mapping) and first.fields.get("scene")):
        return
    for judge in _simulated_judges(settings):
        raise ConfigError(
            f"{judge} has no engine, and simulated annotators know rendered scenes only. "
            "Give every judge an engine, as in jobs/configs/construct.yaml."
        )


def _simulated_judges(settings: ConstructRunSettings) -> list[str]:
    """The judges and raters without an engine, each as the place of its settings and its name."""
    asked = settings.construction
    panels = {
        "construction.listwise.judges": asked.listwise.judges,
        "construction.pointwise.judges": asked.pointwise.judges if asked.pairs.agreement == "both" else (),
        "granular.raters": settings.granular.raters if settings.granular else (),
    }
    return [f"{place}: {judge.name}" for place, panel in panels.items() for judge in panel if judge.engine is None]


def _outside_file(settings: ConstructRunSettings) -> outside.OutsideFile:
    path = settings.input if "://" in settings.input else os.path.abspath(settings.input)
    folder, _, name = path.rpartition("/")
    source = settings.source or PurePosixPath(plain_name(name)).stem
    return outside.OutsideFile(folder=folder, name=name, sha256=_sha256(Folder(folder), name), source=source)


def _sha256(folder: Folder, name: str) -> str:
    if not folder.exists(name):
        raise ConfigError(f"input={folder.path(name)}: there is no such file")
    digest = hashlib.sha256()
    with folder.stream(name) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
