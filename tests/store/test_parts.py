from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed
from dt2it_ray.store.files import Folder
from dt2it_ray.store.parts import Receipt, seal_part, seal_rows, sealed_parts, total, write_piece


def rows_of(*keys: str) -> pa.Table:
    return pa.table({"id": list(keys), "n": [int(key, 36) for key in keys]})


REFUSED = dropped_table([Dropped(DropReason.FIELD_INVALID, "no text").row("x")])


def test_pieces_of_any_order_seal_to_the_bytes_of_the_whole(tmp_path: Path) -> None:
    whole, pieces = Folder(str(tmp_path / "whole")), Folder(str(tmp_path / "pieces"))
    seal_rows(whole, "00000.parquet", rows_of("a", "b", "c", "d"), REFUSED, "id", 5, 0)
    first, second = Receipt("00000.parquet", 0, 3, 0), Receipt("00000.parquet", 1, 2, 1)
    write_piece(pieces, second, rows_of("c", "a"), REFUSED)
    write_piece(pieces, first, rows_of("d", "b"), dropped_table())
    seal = seal_part(pieces, "00000.parquet", [second, first], 6, "id")
    assert (seal.rows_in, seal.rows_out, seal.dropped, seal.skipped) == (5, 4, 1, 1)
    assert pieces.read("00000.parquet") == whole.read("00000.parquet")
    assert pieces.read("dropped/00000.parquet") == whole.read("dropped/00000.parquet")
    assert not pieces.exists("pieces/00000.parquet")


def test_a_retried_slice_takes_the_place_of_its_first_try(tmp_path: Path) -> None:
    data, receipt = Folder(str(tmp_path)), Receipt("00000.parquet", 0, 1, 0)
    write_piece(data, receipt, rows_of("z"), dropped_table())
    write_piece(data, receipt, rows_of("a"), dropped_table())
    seal_part(data, "00000.parquet", [receipt], 1, "id")
    assert data.read_table("00000.parquet")["id"].to_pylist() == ["a"]


def test_a_part_whose_slices_are_not_all_its_input_is_not_sealed(tmp_path: Path) -> None:
    data, receipt = Folder(str(tmp_path)), Receipt("00000.parquet", 0, 1, 0)
    write_piece(data, receipt, rows_of("a"), dropped_table())
    with pytest.raises(StageFailed, match="had 1 rows, its input has 2"):
        seal_part(data, "00000.parquet", [receipt], 2, "id")
    assert sealed_parts(data) == {}


def test_a_part_counts_as_sealed_only_while_its_file_is_there(tmp_path: Path) -> None:
    data = Folder(str(tmp_path))
    seal = seal_rows(data, "00000.parquet", rows_of("a"), REFUSED, "id", 2, 0)
    assert sealed_parts(data) == {"00000.parquet": seal}
    data.delete("00000.parquet")
    assert sealed_parts(data) == {}


@pytest.mark.parametrize("left", [b"", b"\0" * 40, b'{"part": "00000.par', b"null", b'{"part": "00000.parquet"}'])
def test_a_part_whose_seal_cannot_be_read_is_made_again(tmp_path: Path, left: bytes) -> None:
    data = Folder(str(tmp_path))
    kept, lost = (seal_rows(data, f"0000{n}.parquet", rows_of("a"), REFUSED, "id", 2, 0) for n in range(2))
    data.write(f"seals/{lost.part}.json", left)
    assert sealed_parts(data) == {kept.part: kept}
    assert seal_rows(data, lost.part, rows_of("a"), REFUSED, "id", 2, 0) == lost
    assert sealed_parts(data) == {kept.part: kept, lost.part: lost}


def test_a_part_that_is_made_again_leaves_nothing_of_the_first_and_has_no_seal_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Folder(str(tmp_path))
    seal_rows(data, "00000.parquet", rows_of("a"), REFUSED, "id", 2, 0)
    again = seal_rows(data, "00000.parquet", rows_of("a", "b"), dropped_table(), "id", 2, 0)
    assert data.names("dropped") == []
    assert sealed_parts(data) == {"00000.parquet": again}

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Folder, "write", die)
    with pytest.raises(KeyboardInterrupt):
        seal_rows(data, "00000.parquet", rows_of("a"), REFUSED, "id", 2, 0)
    assert sealed_parts(data) == {}


def test_two_rows_of_one_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"'a'.*unique"):
        seal_rows(Folder(str(tmp_path)), "00000.parquet", rows_of("a", "b", "a"), dropped_table(), "id", 3, 0)


def test_totals_add_up_over_parts(tmp_path: Path) -> None:
    data = Folder(str(tmp_path))
    seals = [seal_rows(data, f"{n}.parquet", rows_of("a", "b"), REFUSED, "id", 3, 2) for n in range(3)]
    counts = total(seals)
    assert (counts.rows_in, counts.rows_out, counts.dropped, counts.skipped) == (9, 6, 3, 6)
    assert counts.reasons == {"field_invalid": 3}
