"""A folder as a value: it travels to workers, compares by place, and lists what lies in it."""

import os
import pickle
from pathlib import Path

import pytest

from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.store.files import Folder


def test_a_folder_travels_to_another_process(tmp_path: Path) -> None:
    Folder(str(tmp_path)).write("deep/note", b"text")
    sent = pickle.loads(pickle.dumps(Folder(str(tmp_path)).child("deep")))
    assert sent.read("note") == b"text"
    assert sent == Folder(str(tmp_path / "deep"))
    assert len({sent, Folder(str(tmp_path / "deep")), Folder(str(tmp_path))}) == 2
    assert str(tmp_path) in repr(sent)
    assert sent != str(tmp_path / "deep")


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Folder("runs") == Folder(str(tmp_path / "runs"))


def test_an_uri_and_a_path_name_the_same_files(tmp_path: Path) -> None:
    Folder(f"file://{tmp_path}").write("note", b"text")
    assert Folder(str(tmp_path)).read("note") == b"text"
    assert Folder(f"file://{tmp_path}").path("note") == f"file://{tmp_path}/note"


def test_names_are_relative_sorted_and_of_files_only(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    for name in ("b", "a", "deep/c", "deep/er/d"):
        folder.write(name, b"")
    assert folder.names() == ["a", "b"]
    assert folder.names("deep") == ["deep/c"]
    assert folder.names(recursive=True) == ["a", "b", "deep/c", "deep/er/d"]
    assert folder.names("never") == []


def test_existence_of_files_and_folders_is_told(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("deep/note", b"")
    assert [folder.exists(name) for name in ("", "deep", "deep/note", "note")] == [True, True, True, False]


def test_what_cannot_be_looked_up_is_told_not_called_absent(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot look up .*x: .*File name too long"):
        Folder(str(tmp_path)).exists("x" * 300)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look anywhere")
def test_what_may_not_be_looked_up_is_told(tmp_path: Path) -> None:
    closed = Folder(str(tmp_path / "closed"))
    closed.write("note", b"")
    (tmp_path / "closed").chmod(0)
    with pytest.raises(StoreError, match=r"cannot look up .*note"):
        closed.exists("note")


@pytest.mark.parametrize("uri", ["s3x://bucket/runs", "s3://a b", "file://host/runs"])
def test_an_address_that_is_no_folder_is_refused_with_what_to_write(uri: str) -> None:
    with pytest.raises(ConfigError, match=f"{uri}.*local path.*s3://BUCKET/"):
        Folder(uri)


def test_a_file_that_cannot_be_moved_into_place_is_told(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("taken/inside", b"")
    with pytest.raises(StoreError, match=r"cannot finish .*taken"):
        folder.write("taken", b"text")
    assert folder.read("taken/inside") == b""
