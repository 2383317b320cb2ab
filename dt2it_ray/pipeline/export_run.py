"""How `dt2it export` writes the preferences of a folder for other tools."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.critiques import CRITIQUE_COLUMNS
from dt2it_ray.data.formats.derived_sets import INDEX
from dt2it_ray.data.formats.preferences.llama_factory import described
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS, WRITTEN
from dt2it_ray.data.preferences import CRITIQUED_PREFERENCES, PREFERENCES
from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.construct_run import OUTPUT_STEP
from dt2it_ray.pipeline.ingest_plan import LAST
from dt2it_ray.pipeline.preference_files import check_output, dropped_name, rows_of, write_json, write_preferences
from dt2it_ray.pipeline.trained_pairs import trained_preferences
from dt2it_ray.store.files import Folder, place_of
from dt2it_ray.store.manifest import Manifest, read_manifest

STEPS = (LAST, OUTPUT_STEP)
"""Steps whose rows are preferences that stand for themselves."""


def find_preferences(folder: Folder) -> Manifest | None:
    """The finished step of a folder that holds its preferences, if it has one."""
    return next((manifest for step in STEPS if (manifest := read_manifest(folder, step))), None)


def export_preferences(source: str, output: str, to: str, pairs: str = "") -> str:
    """Write all preferences of an ingested data set or a construction, or of a run of the loop the pairs that its model
    `pairs` was trained on (empty: that of the last iteration); returns what is to be told.

    Embedded images are written into a folder beside the output, once each; others keep their paths. Rows that the
    format cannot hold go to OUTPUT.dropped.jsonl. With `llama_factory`, `dataset_info.json` beside the output names it.

    Raises:
        ConfigError: the folder holds no preferences or no such model, or the output or format is none. StoreError: a
            file cannot be read or written.
    """
    check_output(source, output)
    if to not in WRITTEN:
        kind = "only read" if to in PREFERENCE_FORMATS else "not known"
        raise ConfigError(f"to={to}: this format is {kind}; choose one of {', '.join(WRITTEN)}")
    name, tables, columns = _tables(Folder(source), pairs)
    written = write_preferences(tables, output, to, columns)
    beside, last = place_of(output)
    path = PurePosixPath(last)
    told = f"{written.rows:,} rows{name} in {output}"
    if written.refused:
        write_json(iter(written.refused), beside, dropped_name(path.name), as_list=False)
        told += f"; {len(written.refused):,} that {to} cannot hold in {dropped_name(output)}"
    else:
        # An earlier export of this name may have left some.
        beside.delete(dropped_name(path.name))
    if to == "llama_factory" and path.suffix != ".parquet":
        _describe(beside, path)
        told += f"; named {path.stem} in {beside.path(INDEX)}"
    return told


def _tables(run: Folder, pairs: str) -> tuple[str, Iterator[pa.Table], pa.Schema]:
    """How the preferences of a folder are told of, their tables, and which columns a Parquet file keeps."""
    made = find_preferences(run)
    if made is not None:
        if pairs:
            raise ConfigError(f"pairs={pairs}: {run.path('')} is no run of the loop; it has no models to choose from")
        return "", rows_of(run, made), CRITIQUED_PREFERENCES if _has_critiques(run, made) else PREFERENCES
    trained = trained_preferences(run, pairs)
    if trained is None:
        raise ConfigError(
            f"{run.path('')} holds no finished step {' or '.join(STEPS)}; name a folder of `dt2it ingest`, or a run"
        )
    model, tables = trained
    return f" of {model}", tables, PREFERENCES


def _has_critiques(run: Folder, made: Manifest) -> bool:
    """Whether somebody wrote a critique of any answer."""
    data = made.data(run)
    for file in made.files:
        with data.stream(file.name) as stream:
            if not set(CRITIQUE_COLUMNS) <= set(pq.read_schema(stream).names):
                return False
        critiques = data.read_table(file.name, list(CRITIQUE_COLUMNS))
        if any(column.null_count < len(column) for column in critiques.columns):
            return True
    return False


def _describe(folder: Folder, path: PurePosixPath) -> None:
    """Name the file in LLaMA-Factory's list of data sets, beside those that are there."""
    try:
        listed = json.loads(folder.read(INDEX)) if folder.exists(INDEX) else {}
    except ValueError:
        listed = None
    if not isinstance(listed, dict):
        raise ConfigError(f"{folder.path(INDEX)} is no JSON object; mend or remove it, then export again")
    listed[path.stem] = described(path.name, ranking=True)
    folder.write(INDEX, (json.dumps(listed, indent=2, ensure_ascii=False) + "\n").encode())
