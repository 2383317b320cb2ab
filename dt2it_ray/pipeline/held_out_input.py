"""Which pairs of one's own `dt2it train` measures its model on, and how they are read beside its input."""

from typing import Any

from pydantic import model_validator

from dt2it_ray.data.formats.preferences.mapping import ColumnMapping
from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.ingest_plan import OutsideFiles, name_of
from dt2it_ray.pipeline.preference_input import ReadingSettings, plan_reading, read_mapping
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import Step
from dt2it_ray.stages.world import AddStep

HELD_OUT = "held_out"
"""The folder of the steps that read them, and the input of the train step that they are."""
HELD_OUT_PAIRS = f"{HELD_OUT}/pairs"


class HeldOutSettings(Settings):
    """Preferences that a training is measured on. Pairs that are also in its input are not learned from."""

    files: OutsideFiles
    """What is read: files, or a folder that `dt2it ingest` wrote. The data set is called as the input is, unless
    `files.source` or the rows say something else."""
    format: str = ""
    """Format of the rows. Empty: read as the input is, `ingest.mapping` included."""
    mapping: ColumnMapping | None = None
    """Which columns say what, for `format: mapping`. How rows are checked is as `ingest` says."""

    @model_validator(mode="after")
    def _names_one_format(self) -> "HeldOutSettings":
        if (self.format == "mapping") != (self.mapping is not None):
            raise ValueError("held_out.format=mapping and held_out.mapping go together; give both or none")
        return self


def plan_held_out(add: AddStep, settings: ReadingSettings, held_out: HeldOutSettings) -> Step:
    """Add the steps from the held-out files to INGESTED rows.

    Raises:
        ConfigError: there is no such format, or images are not to be opened. InputError: there is no such file.
    """
    source = held_out.files.source or settings.files.source or name_of(settings.files.input)
    ingest = settings.ingest.model_dump()
    if held_out.format:
        ingest |= {"format": held_out.format, "mapping": held_out.mapping}
    files = held_out.files.model_copy(update={"source": source})
    how = type(settings.ingest).model_validate(ingest)
    return plan_reading(add, settings.model_copy(update={"files": files, "ingest": how}), HELD_OUT)


def named_held_out(input: str, format: str, image_root: str, mapping: str) -> dict[str, Any]:
    """What options of the command line say of held-out pairs, by dotted key; those that say nothing are left out.

    Raises:
        ConfigError: an option says how a file is read that is not named, or a mapping stands beside a format.
    """
    options = {"format": format, "image-root": image_root, "mapping": mapping}
    idle = next((name for name, value in options.items() if value and not input), None)
    if idle:
        raise ConfigError(f"--held-out-{idle} says how the file of --held-out is read; give that, too")
    if mapping and format:
        raise ConfigError(f"--held-out-format {format} and --held-out-mapping {mapping} both say how rows are read")
    named = {"files.input": input, "files.image_root": image_root, "format": "mapping" if mapping else format}
    told: dict[str, Any] = {f"{HELD_OUT}.{key}": value for key, value in named.items() if value}
    return told | ({f"{HELD_OUT}.mapping": read_mapping(mapping)} if mapping else {})
