"""A tar that is damaged or cut off anywhere is an error, not an archive with fewer members."""

import io
import tarfile
from pathlib import Path

import pytest

from dt2it_ray.data.formats.containers import samples
from dt2it_ray.data.formats.containers.archive import WithArchives
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.errors import InputError, StoreError
from dt2it_ray.store.files import Folder

SAMPLES = 6


def six_samples() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for number in range(SAMPLES):
            for ending, content in (("json", b'{"question": "q"}'), ("txt", b"x" * 700)):
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return sink.getvalue()


def damaged(kind: str) -> bytes:
    """The samples, of which the fourth has a damaged header, or is missing with all that follow."""
    whole = six_samples()
    fourth = whole.index(b"3.json")
    if kind == "header":
        return whole[:fourth] + b"4" + whole[fourth + 1 :]
    return whole[: fourth + {"between members": 0, "within a header": 100}[kind]]


@pytest.mark.parametrize("kind", ["header", "between members", "within a header"])
def test_samples_behind_a_damage_are_not_lost_silently(tmp_path: Path, kind: str) -> None:
    (tmp_path / "shard.tar").write_bytes(damaged(kind))
    # The third sample may have lost members of its own, so that two are known to be whole.
    with pytest.raises(
        InputError, match=r"shard\.tar is cut off or no tar archive behind sample 2: damaged behind byte"
    ):
        list(read_records(Folder(str(tmp_path)), "shard.tar"))


@pytest.mark.parametrize("kind", ["header", "between members", "within a header"])
def test_a_damaged_archive_of_images_is_not_taken_for_a_smaller_one(tmp_path: Path, kind: str) -> None:
    (tmp_path / "images.tar").write_bytes(damaged(kind))
    with pytest.raises(StoreError, match=r"images\.tar is cut off or no archive: damaged behind byte"):
        WithArchives(Folder(str(tmp_path))).members("images.tar")


def test_a_whole_tar_has_all_its_samples(tmp_path: Path) -> None:
    (tmp_path / "shard.tar").write_bytes(six_samples())
    assert len(list(read_records(Folder(str(tmp_path)), "shard.tar"))) == SAMPLES
    assert len(WithArchives(Folder(str(tmp_path))).members("shard.tar")) == 2 * SAMPLES


def test_a_member_of_a_sample_is_not_read_without_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shard.tar").write_bytes(six_samples())
    monkeypatch.setattr(samples, "MAX_MEMBER_BYTES", 600)
    with pytest.raises(InputError, match=r"behind sample 0: 0\.txt has 700 bytes, more than 600"):
        list(read_records(Folder(str(tmp_path)), "shard.tar"))


def test_a_file_with_holes_is_no_member(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.type, member.size = tarfile.GNUTYPE_SPARSE, 3
        archive.addfile(member, io.BytesIO(b"abc"))
    (tmp_path / "images.tar").write_bytes(sink.getvalue())
    assert WithArchives(Folder(str(tmp_path))).members("images.tar") == []
