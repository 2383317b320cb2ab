"""Whole columns of caption pairs become the same rows as one row at a time, in any number of processes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.errors import InputError
from dt2it_ray.pipeline import t2i_batches
from dt2it_ray.pipeline.t2i_batches import KEY_COLUMNS, SIDES, can_read_columns, ranges_of, read_batches
from dt2it_ray.pipeline.t2i_files import convert_t2i
from tests.pipeline.t2i_inputs import PAIRS, caption_pair, convert, read_dropped, read_pairs, written

TROUBLED = [
    *PAIRS,
    {**caption_pair(50), "images": ["a"]},
    caption_pair(51, "\u3000wide"),
    *PAIRS[:9],
    {**caption_pair(52), "rejected": {"value": "another"}},
    {**caption_pair(53), "images": ["same.jpg", "same.jpg"]},
    {**caption_pair(54), "chosen": None},
]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t2i_batches, "ROWS_AT_ONCE", 4)
    monkeypatch.setattr(t2i_batches, "LEAST_SHARE_ROWS", 10)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("rows_in_group", [1, 7, 1000])
def test_columns_rows_and_processes_make_the_same_table(tmp_path: Path, rows_in_group: int) -> None:
    source, lines = tmp_path / "in.parquet", written(tmp_path / "in.jsonl", TROUBLED)
    pq.write_table(pa.Table.from_pylist(TROUBLED), source, row_group_size=rows_in_group)
    assert can_read_columns(str(source))
    by_rows = tmp_path / "rows.parquet"
    told = convert_t2i(str(lines), str(by_rows))
    made = []
    for workers in (1, 2, 5):
        output = tmp_path / f"{workers}.parquet"
        assert convert_t2i(str(source), str(output), workers=workers) == told
        assert pq.read_table(output).equals(pq.read_table(by_rows))
        assert read_dropped(output) == read_dropped(by_rows)
        made.append(output.read_bytes())
    assert told.rows == len(TROUBLED) == told.pairs + 4
    assert made[0] == made[1] == made[2]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("rows_in_group", [1, 5, 1000])
def test_every_row_is_read_by_one_process(tmp_path: Path, rows_in_group: int) -> None:
    source = str(tmp_path / "in.parquet")
    pq.write_table(pa.Table.from_pylist(PAIRS), source, row_group_size=rows_in_group)
    whole = pa.Table.from_batches(read_batches(source, KEY_COLUMNS)).to_pylist()
    assert [row["images"] for row in whole] == [row["images"] for row in PAIRS]
    for most in (1, 2, 3, 4, 9):
        ranges = ranges_of(source, most)
        assert len(ranges) == min(most, 4)
        parts = [pa.Table.from_batches(read_batches(source, KEY_COLUMNS, rows)).to_pylist() for rows in ranges]
        assert [len(part) for part in parts] == [len(rows) for rows in ranges]
        assert [row for part in parts for row in part] == whole


def test_one_row_is_enough(tmp_path: Path) -> None:
    (made,) = convert(tmp_path, PAIRS[:1], ".parquet", "out.parquet")
    assert made["images"] == PAIRS[0]["images"][::-1]


def test_a_table_without_rows_or_without_usable_rows_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    pq.write_table(pa.Table.from_pylist(PAIRS).slice(0, 0), empty)
    with pytest.raises(InputError, match="has no rows"):
        convert_t2i(str(empty), str(tmp_path / "out.parquet"))
    with pytest.raises(InputError, match="none of its 2 rows gives a pair"):
        convert(tmp_path, [{**pair, "images": ["a"]} for pair in PAIRS[:2]], ".parquet", "out.parquet")
    assert len(read_dropped(tmp_path / "out.parquet")) == 2


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_file_is_one_message_and_leaves_nothing(tmp_path: Path, workers: int) -> None:
    source = written(tmp_path / "in.parquet", PAIRS)
    metadata = pq.read_metadata(source)
    page = metadata.row_group(metadata.num_row_groups - 1).column(0).data_page_offset
    content = bytearray(source.read_bytes())
    content[page : page + 40] = bytes(40)
    source.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*in\.parquet"):
        convert_t2i(str(source), str(tmp_path / "out.parquet"), workers=workers)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
    source.write_bytes(b"no table")
    with pytest.raises(InputError, match=r"cannot read .*in\.parquet"):
        convert_t2i(str(source), str(tmp_path / "out.parquet"), workers=workers)


def test_other_fields_beside_the_captions_change_nothing(tmp_path: Path) -> None:
    rows = [{**pair, **{side: {"from": "gpt", **pair[side]} for side in SIDES}, "extra": 1} for pair in PAIRS]
    made = convert(tmp_path, rows, ".parquet", "out.parquet")
    assert made == convert(tmp_path, PAIRS)
    assert made == read_pairs(tmp_path / "out.parquet")
