"""Names of files tell splits apart, and odd ones are read or told."""

import os
from pathlib import Path

import pytest

from dt2it_ray.errors import InputError, StoreError
from tests.data.formats.test_sources import fields_in, found, put


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a/train.jsonl.gz", "a/validation.jsonl.gz", "b/train.jsonl.gz"), "train, validation: name one of them"),
        (("data/train-00000-of-00001.parquet", "data/test.jsonl"), r"test, train: .* such as .*data/test\.jsonl"),
    ],
)
def test_splits_are_known_by_the_names_of_their_files_too(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    put(tmp_path, *names)
    with pytest.raises(InputError, match=f"holds several splits, {told}"):
        found(tmp_path)


def test_files_of_one_split_in_several_folders_and_files_of_any_name_are_one_source(tmp_path: Path) -> None:
    names = ("a/train.jsonl", "b/train.jsonl", "more.jsonl")
    put(tmp_path, *names)
    assert found(tmp_path).names == names


def test_a_pattern_may_leave_letters_out_and_a_broken_one_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a0.jsonl", "a1.jsonl")
    assert found(tmp_path / "a[!0].jsonl").names == ("a1.jsonl",)
    with pytest.raises(InputError, match=r"a\[z-a\]\.jsonl is no pattern"):
        found(tmp_path / "a[z-a].jsonl")


def test_a_file_with_the_sign_of_members_in_its_name_is_a_file(tmp_path: Path) -> None:
    put(tmp_path, "wow!.jsonl")
    source = found(tmp_path / "wow!.jsonl")
    assert fields_in(source) == [{"a": 1}]
    assert list(source.hashes()) == ["wow!.jsonl"]


def test_a_name_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    put(tmp_path, "rows.jsonl")
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.jsonl")).write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot list .*no UTF-8"):
        found(tmp_path)
