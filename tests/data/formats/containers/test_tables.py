"""A value of a table that cannot be read refuses its row alone."""

import os
import tracemalloc
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats.containers import tables
from dt2it_ray.data.formats.records import read_blocks, read_records, records_of
from dt2it_ray.data.formats.sources import find_source
from dt2it_ray.store.files import Folder


def texts(*values: bytes) -> pa.Array:
    """Texts of any bytes, UTF-8 or not."""
    stored = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(values), stored.buffers())


def read(folder: Path, name: str) -> list[tuple[int, object]]:
    return [(record.number, record.fields) for record in read_records(Folder(str(folder)), name)]


def test_a_text_that_is_no_utf_8_refuses_its_row_alone(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2, 3], "q": texts(b"a", b"\xff", b"c")})
    pq.write_table(table, tmp_path / "rows.parquet")
    first, broken, last = read(tmp_path, "rows.parquet")
    assert (first, last) == ((1, {"n": 1, "q": "a"}), (3, {"n": 3, "q": "c"}))
    assert broken[0] == 2
    assert str(broken[1]).startswith("column q cannot be read: 'utf-8' codec can't decode byte 0xff")
    assert str(broken[1]).endswith("the others: {'n': 2}")


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
def test_a_date_that_python_does_not_know_refuses_its_row_alone(tmp_path: Path, name: str) -> None:
    table = pa.table({"q": ["a", "b"], "when": pa.array([1 << 52, 0], pa.timestamp("ms"))})
    if name == "rows.parquet":
        pq.write_table(table, tmp_path / name)
    else:
        with pa.ipc.new_stream(tmp_path / name, table.schema) as writer:
            writer.write_table(table)
    broken, (number, fields) = read(tmp_path, name)
    assert str(broken[1]).startswith("column when cannot be read")
    assert (number, isinstance(fields, dict) and fields["q"]) == (2, "b")


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
def test_a_large_table_in_an_archive_is_not_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tables, "IN_MEMORY_BYTES", 1 << 20)
    table = pa.table({"image": [os.urandom(20_000) for _ in range(1000)]})
    if name == "rows.parquet":
        pq.write_table(table, tmp_path / name, row_group_size=100)
    else:
        with pa.ipc.new_file(tmp_path / name, table.schema) as writer:
            writer.write_table(table, 100)
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.write(tmp_path / name, name)
    source = find_source(str(tmp_path / "rows.zip"), Folder)
    tracemalloc.start()
    rows = sum(len(list(records_of(block))) for block in read_blocks(source.folder, source.names[0]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 1000
    assert peak < 16 << 20
