import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from dt2it_ray.errors import StoreError
from dt2it_ray.store.files import ROWS_PER_SLICE, Folder

ROWS = pa.table({"id": [f"{n:04d}" for n in range(600)], "n": list(range(600))})


def test_a_table_is_read_back_whole_or_by_slice_or_by_column(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write_table("deep/rows.parquet", ROWS)
    assert folder.read_table("deep/rows.parquet") == ROWS
    last = folder.read_table("deep/rows.parquet", ["n"], slice_index=2)
    assert last["n"].to_pylist() == list(range(2 * ROWS_PER_SLICE, 600))


def test_equal_rows_give_equal_bytes_however_they_are_chunked(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write_table("whole", ROWS)
    folder.write_table("chunked", pa.concat_tables([ROWS.slice(0, 7), ROWS.slice(7)]))
    assert folder.read("whole") == folder.read("chunked")


def test_an_error_while_writing_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("note", b"old")
    with pytest.raises(RuntimeError):
        _fail_half_way(folder)
    assert folder.read("note") == b"old"
    assert folder.names() == ["note"]


def test_a_table_that_was_damaged_in_place_is_noticed(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write_table("rows.parquet", pa.table({"n": list(range(600))}))
    content = bytearray(folder.read("rows.parquet"))
    content[150] ^= 1
    (tmp_path / "rows.parquet").write_bytes(content)
    with pytest.raises(StoreError, match=r"cannot read .*rows\.parquet.*damaged"):
        folder.read_table("rows.parquet")


def test_a_truncated_table_says_which_file_and_what_to_do(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write_table("rows.parquet", ROWS)
    content = folder.read("rows.parquet")
    (tmp_path / "rows.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match=r"rows\.parquet.*damaged.*delete"):
        folder.read_table("rows.parquet")


def test_a_missing_column_names_those_that_are_there(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write_table("rows.parquet", ROWS)
    with pytest.raises(StoreError, match=r"no column \['score'\]; it has \['id', 'n'\]"):
        folder.read_table("rows.parquet", ["id", "score"])


def test_missing_files_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="absent"):
        Folder(str(tmp_path)).read("absent")


def test_a_missing_table_is_not_called_damaged_and_points_to_a_shared_disk(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"absent is not there on this machine .*disk that all of them") as caught:
        Folder(str(tmp_path)).read_table("absent")
    assert "damaged" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_with_advice(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="writable"):
        Folder(str(tmp_path)).write("deep/note", b"")


def test_a_folder_where_a_file_stands_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StoreError, match="root=DIR"):
        Folder(str(tmp_path)).write("taken/note", b"")


def test_delete_takes_files_folders_and_what_is_not_there(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("a/b/c", b"")
    folder.write("d", b"")
    for name in ("a", "d", "never"):
        folder.delete(name)
    assert folder.names(recursive=True) == []


def _fail_half_way(folder: Folder) -> None:
    with folder.replacing("note") as stream:
        stream.write(b"half of the new")
        raise RuntimeError


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "run"))
    with folder.held("lock"), pytest.raises(StoreError, match=r"another .* work in .*run"), folder.held("lock"):
        raise AssertionError("both hold it")
    with folder.held("lock"):
        pass


def test_a_run_that_cannot_be_held_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    run = Folder(str(tmp_path / "taken" / "run"))
    with pytest.raises(StoreError, match=r"cannot write .*taken/run/lock.*root=DIR"), run.held("lock"):
        raise AssertionError("it is held")


def test_of_drivers_that_start_together_one_holds_the_folder(tmp_path: Path) -> None:
    for attempt in range(25):
        assert _count_holders(Folder(str(tmp_path / str(attempt))), drivers=16) == 1


def _count_holders(run: Folder, drivers: int) -> int:
    """How many of the drivers got hold of the run; they let go when all have tried."""
    start, tried = Barrier(drivers, timeout=60), Barrier(drivers, timeout=60)

    def got_hold(_: int) -> bool:
        start.wait()
        try:
            with run.held("lock"):
                tried.wait()
                return True
        except StoreError:
            tried.wait()
            return False

    with ThreadPoolExecutor(drivers) as threads:
        return sum(threads.map(got_hold, range(drivers)))
