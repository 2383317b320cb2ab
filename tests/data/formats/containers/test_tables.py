"""A value of a table that cannot be read refuses its row alone."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats.records import read_records
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
