"""A source is exactly the files that an address names, in their order, and a missing one is noticed."""

import hashlib
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats.block_pool import map_blocks
from dt2it_ray.data.formats.containers.block import Block
from dt2it_ray.data.formats.records import read_records, records_of
from dt2it_ray.data.formats.sources import Source, find_source
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder
from tests.stages.rows import png


def put(folder: Path, *names: str, content: bytes = b'{"a": 1}\n') -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def tar_of(members: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def found(address: Path | str) -> Source:
    return find_source(str(address), Folder)


def fields_in(source: Source) -> list[object]:
    return [record.fields for name in source.names for record in read_records(source.folder, name)]


def numbers_of(block: Block) -> list[tuple[str, int]]:
    return [(record.file, record.number) for record in records_of(block)]


def test_a_file_a_pattern_and_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "b.jsonl", "a.jsonl.gz", "deep/c.csv", "deep/d.jsonl", "notes.md", ".hidden/e.jsonl", "_f.jsonl")
    put(tmp_path, "dataset_info.json", "deep/images/1.png")
    assert found(tmp_path / "b.jsonl").names == ("b.jsonl",)
    assert found(tmp_path / "*.jsonl*").names == ("_f.jsonl", "a.jsonl.gz", "b.jsonl")
    assert found(tmp_path / "*/?.jsonl").names == (".hidden/e.jsonl", "deep/d.jsonl")
    assert found(tmp_path / "**/[cd].*").names == ("deep/c.csv", "deep/d.jsonl")
    assert found(tmp_path).names == ("a.jsonl.gz", "b.jsonl", "deep/c.csv", "deep/d.jsonl")


def test_a_name_with_signs_of_a_pattern_is_a_file_if_there_is_one(tmp_path: Path) -> None:
    put(tmp_path, "rows [1].jsonl", "rows 1.jsonl")
    assert found(tmp_path / "rows [1].jsonl").names == ("rows [1].jsonl",)


def test_names_are_relative_to_the_folder_that_is_worked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "rows.jsonl")
    monkeypatch.chdir(tmp_path)
    for address in ("rows.jsonl", "*.jsonl", ".", f"file://{tmp_path}/rows.jsonl", f"file://{tmp_path}/*.jsonl"):
        assert fields_in(found(address)) == [{"a": 1}], address


@pytest.mark.parametrize("address", ["gone.jsonl", "*.parquet", "gone", "notes.md", "empty"])
def test_an_address_without_files_of_rows_is_refused_by_name(tmp_path: Path, address: str) -> None:
    put(tmp_path, "rows.jsonl", "notes.md")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=address.replace("*", r"\*")):
        found(tmp_path / address)


@pytest.mark.parametrize("address", ["", "data", "data/*.jsonl"])
def test_a_missing_shard_is_refused_by_name(tmp_path: Path, address: str) -> None:
    put(tmp_path, *(f"data/train-0000{number}-of-00003.jsonl" for number in range(3)))
    assert len(found(tmp_path / address).names) == 3
    (tmp_path / "data/train-00001-of-00003.jsonl").unlink()
    with pytest.raises(InputError, match=r"data/train-00001-of-00003.jsonl is missing"):
        found(tmp_path / address)


def test_one_of_several_splits_must_be_named(tmp_path: Path) -> None:
    put(tmp_path, "data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl")
    with pytest.raises(InputError, match="several splits, data/test, data/train"):
        found(tmp_path)
    assert found(tmp_path / "data/train*").names == ("train-00000-of-00001.jsonl",)


def save_to_disk(folder: Path, rows: list[dict[str, object]]) -> None:
    """What `datasets` writes: two streams, their list, and a cache that belongs to no list."""
    folder.mkdir(parents=True)
    files = [f"data-0000{number}-of-00002.arrow" for number in range(2)]
    for number, name in enumerate([*files, "cache-1234.arrow"]):
        table = pa.Table.from_pylist(rows[number % 2 :: 2])
        with pa.ipc.new_stream(folder / name, table.schema) as stream:
            stream.write_table(table, 2)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in files]}))
    (folder / "dataset_info.json").write_text("{}")


def test_a_saved_data_set_is_the_files_that_it_lists(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"a": number, "image": {"bytes": b"x", "path": None}} for number in range(10)]
    save_to_disk(tmp_path / "set", rows)
    assert fields_in(found(tmp_path / "set")) == rows[::2] + rows[1::2]
    (tmp_path / "set" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(InputError, match=r"data-00001-of-00002.arrow is missing"):
        found(tmp_path / "set")


def test_what_the_library_saves_is_read_without_it(tmp_path: Path) -> None:
    library = pytest.importorskip("datasets")
    rows = [{"a": number, "images": [{"bytes": png(number), "path": None}]} for number in range(9)]
    features = library.Features({"a": library.Value("int64"), "images": [library.Image()]})
    saved = library.Dataset.from_list(rows, features=features)
    saved.save_to_disk(str(tmp_path / "set"), num_shards=2)
    assert fields_in(found(tmp_path / "set")) == rows
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for number in range(2):
        name = f"data/train-0000{number}-of-00002.parquet"
        saved.shard(2, number, contiguous=True).to_parquet(str(tmp_path / "hub" / name))
    assert fields_in(found(tmp_path / "hub")) == rows


def test_a_saved_dictionary_of_splits_is_refused_until_one_is_named(tmp_path: Path) -> None:
    for split in ("test", "train"):
        save_to_disk(tmp_path / split, [{"split": split}, {"split": split}])
    put(tmp_path, "dataset_dict.json", content=b"{}")
    with pytest.raises(InputError, match="several splits, test, train"):
        found(tmp_path)
    assert fields_in(found(tmp_path / "train")) == [{"split": "train"}] * 2


@pytest.mark.parametrize("name", ["rows.zip", "rows.tar", "rows.tar.gz", "rows.tgz"])
def test_files_of_rows_in_an_archive_are_its_members(tmp_path: Path, name: str) -> None:
    members = {
        "rows/b.jsonl": b'{"a": 1}\n{"a": 2}\n',
        "rows/a.json": b'[{"a": 3}]',
        "images/1.png": b"none",
        "dataset_info.json": b"{}",
    }
    put(
        tmp_path,
        name,
        content=zip_of(members) if name == "rows.zip" else tar_of(members, "w:gz" if "gz" in name else "w"),
    )
    source = found(tmp_path / name)
    assert source.names == (f"{name}!rows/a.json", f"{name}!rows/b.jsonl")
    assert fields_in(source) == [{"a": 3}, {"a": 1}, {"a": 2}]
    assert fields_in(pickle.loads(pickle.dumps(source))) == fields_in(source)
    assert fields_in(found(tmp_path / f"{name}!rows/b.jsonl")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("workers", [0, 1])
def test_tables_in_an_archive_are_read(tmp_path: Path, workers: int) -> None:
    table = pa.Table.from_pylist([{"a": number} for number in range(600)])
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=250)
    put(tmp_path, "rows.tgz", content=tar_of({"a.parquet": sink.getvalue()}, "w:gz"))
    done = list(map_blocks(numbers_of, found(tmp_path / "rows.tgz"), workers))
    assert [each for block in done for each in block] == [("rows.tgz!a.parquet", number) for number in range(1, 601)]


def test_samples_of_a_tar_join_their_members(tmp_path: Path) -> None:
    members = {
        "a/1.json": b'{"question": "q", "images": ["1.jpg"]}',
        "a/1.jpg": b"jpg",
        "a/2.png": b"png",
        "a/2.left.jpg": b"left",
        "a/2.txt": "é".encode(),
        "3.json": b"[1]",
    }
    put(tmp_path, "s-00000.tar", content=tar_of(members))
    png, left = {"bytes": b"png", "path": "a/2.png"}, {"bytes": b"left", "path": "a/2.left.jpg"}
    assert fields_in(found(tmp_path / "*.tar")) == [
        {"__key__": "a/1", "question": "q", "images": ["1.jpg"], "jpg": {"bytes": b"jpg", "path": "a/1.jpg"}},
        {"__key__": "a/2", "png": png, "left.jpg": left, "txt": "é", "images": [png, left]},
        "3.json holds no JSON object: [1]",
    ]


def test_a_tar_that_breaks_off_names_its_last_whole_sample(tmp_path: Path) -> None:
    members = {f"{number}.{ending}": b'{"a": 1}' * 200 for number in range(9) for ending in ("txt", "cls")}
    put(tmp_path, "s.tar", content=tar_of(members)[:20_000])
    with pytest.raises(InputError, match=r"s\.tar is cut off or no tar archive behind sample 3"):
        fields_in(found(tmp_path / "s.tar"))


@pytest.mark.parametrize("name", ["rows.zip", "rows.tar", "rows.tar.gz"])
def test_a_broken_archive_is_named(tmp_path: Path, name: str) -> None:
    put(tmp_path, name, content=b"no archive" * 100)
    with pytest.raises(InputError, match=f"{name} is cut off or no"):
        found(tmp_path / name)


def test_hashes_are_of_the_files_themselves(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", "b.zip", content=zip_of({"x.jsonl": b"{}", "y.jsonl": b"{}"}))
    digest = hashlib.sha256((tmp_path / "b.zip").read_bytes()).hexdigest()
    assert found(tmp_path / "b.zip").hashes() == {"b.zip": digest}
    assert found(tmp_path / "a.jsonl").hashes() == {"a.jsonl": digest}


@pytest.mark.parametrize("workers", [0, 2])
def test_blocks_are_worked_on_in_file_order(tmp_path: Path, workers: int) -> None:
    rows = "".join(f'{{"text": "{"x" * 1000}"}}\n' for _ in range(1500)).encode()
    put(tmp_path, "a.jsonl", "b.jsonl", content=rows)
    done = list(map_blocks(numbers_of, found(tmp_path), workers))
    assert len(done) > 4
    assert [each for block in done for each in block] == [
        (name, n) for name in ("a.jsonl", "b.jsonl") for n in range(1, 1501)
    ]
