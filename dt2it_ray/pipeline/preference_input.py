"""What commands read that take preferences in any form: files of a known format, or a folder of `dt2it ingest`."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.ingest_plan import LAST, OutsideFiles, plan_ingest
from dt2it_ray.pipeline.run_settings import PlacedSettings, placement_keys
from dt2it_ray.stages.adopted import LOAD_ADOPTED, AdoptedRows
from dt2it_ray.stages.ingest_settings import IngestSettings
from dt2it_ray.stages.stage import Placement, Step
from dt2it_ray.stages.world import AddStep
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest, read_manifest

ROWS = "rows"
"""The folder of the steps that read the input."""


class ReadingSettings(PlacedSettings):
    """Which preferences a command reads, and where it writes."""

    files: OutsideFiles
    """What is read. `input` may also be a folder that `dt2it ingest` wrote; `ingest` then does nothing."""
    ingest: IngestSettings = IngestSettings()
    """How rows of files are read and checked, and which repeat."""
    output: str
    """What is written."""
    readers: int = Field(default=0, ge=0)
    """Processes that parse rows; 0: one per core. They change no byte."""

    def placement_of(self, step: str, stage: str) -> Placement:
        """Where a step runs. Refused rows make no step fail unless a placement says so: they are told at the end."""
        named = any(key in self.placement for key in placement_keys(step, stage))
        return super().placement_of(step, stage) if named else Placement(max_dropped=1.0)

    def processes(self) -> int:
        """How many processes parse rows."""
        return self.readers or os.cpu_count() or 1


def adopted(settings: ReadingSettings) -> Manifest | None:
    """The ingestion that the input is; None if it is files."""
    return read_manifest(Folder(settings.files.input), LAST)


def plan_reading(add: AddStep, settings: ReadingSettings, under: str = ROWS) -> Step:
    """Add the steps from the input to INGESTED rows, in the folder `under`.

    Raises:
        ConfigError: there is no such format, or images are not to be opened. InputError: there is no such file.
    """
    made = adopted(settings)
    if made is not None:
        data = made.data(Folder(settings.files.input))
        return add(f"{under}/{LAST}", LOAD_ADOPTED, AdoptedRows(data=data.uri, fingerprint=made.fingerprint), {})
    if settings.ingest.images != "embed":
        raise ConfigError(f"ingest.images={settings.ingest.images}: a reward model looks at images; leave it at embed")
    return plan_ingest(add, settings.files, settings.ingest, settings.processes(), f"{under}/")


def named_settings(input: str, output: str, format: str, image_root: str, mapping: str) -> dict[str, Any]:
    """What options of the command line say, by dotted key; those that say nothing are left out.

    Raises:
        ConfigError: the file of a mapping cannot be read, or a format is named beside it.
    """
    named: dict[str, Any] = {"files.input": input, "files.image_root": image_root, "output": output}
    named["ingest.format"] = format
    if mapping:
        if format:
            raise ConfigError(f"--format {format} and --mapping {mapping} both say how rows are read; give one of them")
        named |= {"ingest.format": "mapping", "ingest.mapping": read_mapping(mapping)}
    return {key: value for key, value in named.items() if value}


def read_mapping(path: str) -> dict[str, Any]:
    """The columns of a YAML file, which may stand under `mapping`, as in a config, or alone."""
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read --mapping {path}: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold a mapping of columns (docs/formats.md), not a {type(tree).__name__}")
    return tree.get("mapping", tree)
