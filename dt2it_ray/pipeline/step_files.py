"""Where the files of a step are and how the rows of finished steps are read."""

import hashlib
from collections.abc import Mapping

import pyarrow as pa

from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest, PartFile


def data_folder(run: Folder, step: Step) -> Folder:
    """Where the files of a step are."""
    return run.child(f"{step.name}/{step.fingerprint}")


def read_rows(run: Folder, manifest: Manifest, columns: list[str] | None = None) -> pa.Table:
    """All rows of a finished step, as its manifest lists them."""
    data = manifest.data(run)
    tables = [data.read_table(file.name, columns) for file in manifest.files]
    return pa.concat_tables(tables)


def read_tables(reads: Mapping[str, pa.Schema], run: Folder, inputs: Mapping[str, Manifest]) -> dict[str, pa.Table]:
    """Tables by input name for a stage that declares its reads by name, wildcards filled in."""
    tables = {}
    for pattern, schema in reads.items():
        prefix = pattern.removesuffix("*")
        names = [name for name in inputs if (name.startswith(prefix) if pattern.endswith("/*") else name == pattern)]
        for name in names:
            tables[name] = read_rows(run, inputs[name], schema.names).cast(schema)
    return tables


def list_files(folder: Folder) -> tuple[PartFile, ...]:
    """Every file under a folder with its sha256, as manifests list files that are not tables of rows."""
    names = folder.names(recursive=True)
    return tuple(PartFile(name, 0, hashlib.sha256(folder.read(name)).hexdigest()) for name in names)
