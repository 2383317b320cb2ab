"""Records come out of every kind of file in its order, and a damaged file is told from an empty one."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats import records
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder

ROWS = [{"number": number, "text": "é图 ]},[" * number} for number in range(40)]


def fields_of(folder: Path, name: str) -> list[object]:
    return [record.fields for record in read_records(Folder(str(folder)), name)]


def write(folder: Path, name: str) -> None:
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), folder / name)
    elif name.endswith(".json"):
        (folder / name).write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    else:
        (folder / name).write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json", "rows.parquet"])
def test_every_kind_gives_the_same_records(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    read = list(read_records(Folder(str(tmp_path)), name))
    assert [record.fields for record in read] == ROWS
    assert [record.number for record in read] == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize("characters", [1, 2, 7, 64, 1000])
def test_a_list_does_not_depend_on_how_much_is_read_at_once(
    tmp_path: Path, characters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [0, -1.5, 12345, {"a": [1, "]"]}, None, True, "," * 5]
    (tmp_path / "rows.json").write_text(json.dumps(numbers), encoding="utf-8")
    monkeypatch.setattr(records, "CHARACTERS_AT_ONCE", characters)
    assert fields_of(tmp_path, "rows.json") == numbers


def test_an_empty_list_has_no_records(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(" [ ] ", encoding="utf-8")
    assert fields_of(tmp_path, "rows.json") == []


def test_a_line_that_is_no_json_stays_a_record(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"a": 1}\n\n{"a": \n\xff\xfe\n')
    assert fields_of(tmp_path, "rows.jsonl") == [{"a": 1}, '{"a": \n', "\\xff\\xfe\n"]


def test_records_of_lines_are_numbered_by_line_and_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\n')
    read = [(record.number, record.fields) for record in read_records(Folder(str(tmp_path)), "rows.jsonl")]
    assert read == [(1, {"a": 1}), (3, {"a": 2})]


def test_a_line_nested_too_deep_stays_a_record(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("[" * 100_000 + "\n", encoding="utf-8")
    assert len(fields_of(tmp_path, "rows.jsonl")) == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.json", b'[{"a": 1}][{"a": 2}]', "goes on behind its list of 1 records"),
        ("rows.json", b'[{"a": 1}, ' + b"[" * 100_000 + b"]", "behind record 1"),
        ("rows.json", b'[{"a": 1}, {"a": ', "behind record 1"),
        ("rows.json", b'[{"a": 1}, oops]', "behind record 1"),
        ("rows.json", b'{"a": 1}', "no JSON list"),
        ("rows.json", b'[{"a": "\xff"}]', "rows.json"),
        ("rows.parquet", b"PAR1 cut off", "rows.parquet"),
        ("rows.csv", b"a,b", ".jsonl"),
    ],
)
def test_a_file_that_is_no_list_of_records_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=told):
        fields_of(tmp_path, name)
