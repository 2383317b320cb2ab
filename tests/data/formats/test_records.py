"""Records come out of every kind of file in its order, and a damaged file is told from an empty one."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats.records import read_records
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder

ROWS = [{"number": number, "text": "é图 ]},[" * number} for number in range(40)]


def fields_of(folder: Path, name: str) -> list[object]:
    return [record.fields for record in read_records(Folder(str(folder)), name)]


def write(folder: Path, name: str) -> None:
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), folder / name, row_group_size=7)
    elif name.endswith(".arrow"):
        with pa.ipc.new_stream(folder / name, pa.Table.from_pylist(ROWS).schema) as stream:
            stream.write_table(pa.Table.from_pylist(ROWS), 9)
    elif name.endswith(".json"):
        (folder / name).write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    else:
        (folder / name).write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json", "rows.parquet", "rows.arrow"])
def test_every_kind_gives_the_same_records(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    read = list(read_records(Folder(str(tmp_path)), name))
    assert [record.fields for record in read] == ROWS
    assert [record.number for record in read] == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize("codec", ["gz", "zst"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_compressed_file_gives_the_same_records(tmp_path: Path, name: str, codec: str) -> None:
    write(tmp_path, name)
    content = pa.compress((tmp_path / name).read_bytes(), codec="zstd", asbytes=True)
    if codec == "gz":
        content = gzip.compress((tmp_path / name).read_bytes())
    (tmp_path / f"{name}.{codec}").write_bytes(content)
    assert fields_of(tmp_path, f"{name}.{codec}") == ROWS


def test_parts_of_a_compressed_file_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'))
    assert fields_of(tmp_path, "rows.jsonl.gz") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("name", "behind"), [("rows.jsonl.gz", "behind line 999:"), ("rows.json.gz", "behind record 999:")]
)
def test_a_compressed_file_that_breaks_off_names_its_last_whole_record(tmp_path: Path, name: str, behind: str) -> None:
    rows = [json.dumps({"number": number}) for number in range(1000)]
    content = "\n".join(rows) if "jsonl" in name else f"[{', '.join(rows)}"
    # The last bytes of a text without compression are those of its last row, behind eight bytes of a checksum.
    (tmp_path / name).write_bytes(gzip.compress(content.encode(), compresslevel=0)[:-12])
    with pytest.raises(InputError, match=behind):
        fields_of(tmp_path, name)


def test_a_compressed_file_whose_last_bytes_lack_is_cut_off_even_if_its_list_has_ended(tmp_path: Path) -> None:
    (tmp_path / "rows.json.gz").write_bytes(gzip.compress(b'[{"a": 1}]')[:-4])
    with pytest.raises(InputError, match="cut off"):
        fields_of(tmp_path, "rows.json.gz")


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


@pytest.mark.parametrize("name", ["rows.json", "rows.json.gz"])
def test_lines_in_a_file_that_is_called_json_are_lines(tmp_path: Path, name: str) -> None:
    content = b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\noops\n'
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    read = [(record.number, record.fields) for record in read_records(Folder(str(tmp_path)), name)]
    assert read == [(1, {"a": 1}), (3, {"a": 2}), (4, "oops\n")]


def test_a_line_nested_too_deep_stays_a_record(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("[" * 100_000 + "\n", encoding="utf-8")
    assert len(fields_of(tmp_path, "rows.jsonl")) == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.json", b'[{"a": 1}][{"a": 2}]', "goes on behind its list of 1 records"),
        ("rows.json", b'[{"a": 1}, ' + b"[" * 100_000 + b"]", "behind record 1"),
        ("rows.json", b'[{"a": 1}, {"a": ', "behind record 1"),
        ("rows.json", b'[{"a": 1}, {"b": [1]', "behind record 1"),
        ("rows.json", b"", "no JSON list"),
        ("rows.json", b'{"a": 1}', "no JSON list"),
        ("rows.json", b'{\n"a": {\n"b": 1}}', "no JSON list"),
        ("rows.parquet", b"PAR1 cut off", "rows.parquet"),
        ("rows.arrow", b"ARROW1 cut off", "rows.arrow"),
        ("rows.csv", b"", "no header"),
        ("rows.csv", b"a,a\n1,2", "twice the same"),
        ("rows.txt", b"a,b", ".jsonl"),
        ("rows.tar", b"no archive" * 200, "rows.tar"),
    ],
)
def test_a_file_that_is_no_list_of_records_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=told):
        fields_of(tmp_path, name)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_told_from_one_of_broken_rows(tmp_path: Path, name: str, encoding: str) -> None:
    (tmp_path / name).write_bytes('\ufeff[{"a": 1}]\n'.encode(encoding))
    with pytest.raises(InputError, match=rf"{name} is UTF-16, not UTF-8"):
        list(read_records(Folder(str(tmp_path)), name))


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.jsonl.zst", "rows.csv.gz"])
def test_an_empty_compressed_file_is_cut_off(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=rf"{name} .*the file is empty"):
        list(read_records(Folder(str(tmp_path)), name))
