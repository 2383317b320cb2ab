"""Whatever is done to the bytes of a file of rows, it ends as records or as an error that names the file."""

import gzip
import io
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats.records import read_records
from dt2it_ray.data.formats.sources import find_source
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder
from tests.data.formats.test_sources import tar_of, zip_of

MUTATIONS = 40
ROWS = [{"id": number, "q": "a é " * number, "image": {"bytes": b"x" * number, "path": None}} for number in range(60)]
LINES = "\n".join(json.dumps({"id": row["id"], "q": row["q"]}) for row in ROWS).encode()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink, row_group_size=10)
    return sink.getvalue()


def arrow(opened: object = pa.ipc.new_stream) -> bytes:
    sink, table = io.BytesIO(), pa.Table.from_pylist(ROWS)
    with opened(sink, table.schema) as writer:  # type: ignore[operator]
        writer.write_table(table, 10)
    return sink.getvalue()


SAMPLES = {f"{number}.{ending}": b'{"id": 1}' for number in range(20) for ending in ("json", "txt")}
FILES = {
    "rows.parquet": parquet(),
    "stream.arrow": arrow(),
    "file.arrow": arrow(pa.ipc.new_file),
    "rows.jsonl.gz": gzip.compress(LINES),
    "rows.jsonl.zst": pa.compress(LINES, codec="zstd", asbytes=True),
    "rows.csv": b"a,b\n" + b'1,"x\ny"\n' * 40,
    "rows.zip": zip_of({"a.jsonl": LINES, "b.parquet": parquet()}),
    "rows.tar": tar_of({"a.jsonl": LINES, "b.parquet": parquet()}),
    "rows.tgz": tar_of({"a.jsonl": LINES, "b.json": b"[]"}, "w:gz"),
    "samples.tar": tar_of(SAMPLES),
    "samples.tar.gz": tar_of(SAMPLES, "w:gz"),
}


def count_records(folder: Path, name: str) -> int:
    source = find_source(str(folder / name), Folder)
    return sum(1 for file in source.names for _ in read_records(source.folder, file))


def mutated(content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return content[: chance.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(chance.choice([1, 3, 20])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("name", FILES)
def test_mutated_files_end_as_records_or_as_an_error_that_names_them(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    assert count_records(tmp_path, name) > 0
    chance = random.Random(name)
    for _ in range(MUTATIONS):
        (tmp_path / name).write_bytes(mutated(FILES[name], chance))
        try:
            count_records(tmp_path, name)
        except InputError as error:
            told = str(error)
            assert name in told


def test_an_arrow_stream_that_breaks_off_names_its_last_whole_row(tmp_path: Path) -> None:
    (tmp_path / "rows.arrow").write_bytes(arrow()[:-200])
    with pytest.raises(InputError, match=r"rows\.arrow is cut off or no Arrow behind row 50"):
        count_records(tmp_path, "rows.arrow")


def test_a_row_group_of_parquet_that_is_damaged_names_its_first_row(tmp_path: Path) -> None:
    content = bytearray(parquet())
    page = pq.read_metadata(io.BytesIO(content)).row_group(3).column(0).data_page_offset
    content[page : page + 20] = bytes(20)
    (tmp_path / "rows.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"rows\.parquet, damaged behind row 30"):
        count_records(tmp_path, "rows.parquet")
