"""How `dt2it export` writes the preferences of a folder for other tools."""

import json
from pathlib import PurePosixPath

from dt2it_ray.data.formats.derived_sets import INDEX
from dt2it_ray.data.formats.preferences.llama_factory import described
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS, WRITTEN
from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.construct_run import OUTPUT_STEP
from dt2it_ray.pipeline.ingest_plan import LAST
from dt2it_ray.pipeline.preference_files import check_output, dropped_name, write_json, write_preferences
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest, read_manifest

STEPS = (LAST, OUTPUT_STEP)
"""Steps whose rows are preferences that stand for themselves."""


def find_preferences(folder: Folder) -> Manifest | None:
    """The finished step of a folder that holds its preferences, if it has one."""
    return next((manifest for step in STEPS if (manifest := read_manifest(folder, step))), None)


def export_preferences(source: str, output: str, to: str) -> str:
    """Write all preferences of an ingested data set or a construction; returns what is to be told.

    Embedded images are written into a folder beside the output, once each; others keep their paths. Rows that the
    format cannot hold go to OUTPUT.dropped.jsonl. With `llama_factory`, `dataset_info.json` beside the output names it.

    Raises:
        ConfigError: the folder holds no preferences, or the output or format is none. StoreError: a file cannot be
            read or written.
    """
    check_output(source, output)
    if to not in WRITTEN:
        kind = "only read" if to in PREFERENCE_FORMATS else "not known"
        raise ConfigError(f"to={to}: this format is {kind}; choose one of {', '.join(WRITTEN)}")
    run = Folder(source)
    made = find_preferences(run)
    if made is None:
        raise ConfigError(
            f"{run.path('')} holds no finished step {' or '.join(STEPS)}; name a folder of `dt2it ingest`"
        )
    written = write_preferences(run, made, output, to)
    path = PurePosixPath(output)
    beside = Folder(str(path.parent))
    told = f"{written.rows:,} rows in {output}"
    if written.refused:
        write_json(iter(written.refused), beside, dropped_name(path.name), as_list=False)
        told += f"; {len(written.refused):,} that {to} cannot hold in {dropped_name(output)}"
    if to == "llama_factory" and path.suffix != ".parquet":
        _describe(beside, path)
        told += f"; named {path.stem} in {beside.path(INDEX)}"
    return told


def _describe(folder: Folder, path: PurePosixPath) -> None:
    """Name the file in LLaMA-Factory's list of data sets, beside those that are there."""
    try:
        listed = json.loads(folder.read(INDEX)) if folder.exists(INDEX) else {}
    except ValueError:
        raise ConfigError(f"{folder.path(INDEX)} is not JSON; mend or remove it, then export again") from None
    listed[path.stem] = described(path.name, ranking=True)
    folder.write(INDEX, (json.dumps(listed, indent=2, ensure_ascii=False) + "\n").encode())
