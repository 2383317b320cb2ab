"""Cells of CSV and TSV keep their texts, and a row that breaks the quoting or the number of cells stays a record."""

from pathlib import Path

import pytest

from dt2it_ray.data.formats.containers import delimited
from dt2it_ray.data.formats.records import read_blocks, read_records
from dt2it_ray.store.files import Folder


def read(folder: Path, content: bytes, name: str = "rows.csv") -> list[tuple[int, object]]:
    (folder / name).write_bytes(content)
    return [(record.number, record.fields) for record in read_records(Folder(str(folder)), name)]


def test_cells_hold_line_ends_quotation_marks_and_delimiters(tmp_path: Path) -> None:
    content = '\ufeffquestion,chosen\r\n"a\n""b"", c",5" disk\r\n\r\né, x \r\n'.encode()
    assert read(tmp_path, content) == [
        (2, {"question": 'a\n"b", c', "chosen": '5" disk'}),
        (5, {"question": "é", "chosen": " x "}),
    ]


def test_tabs_part_the_cells_of_tsv(tmp_path: Path) -> None:
    assert read(tmp_path, b"a\tb\n1,5\t\n", "rows.tsv") == [(2, {"a": "1,5", "b": ""})]


def test_rows_are_numbered_by_their_line_whatever_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a,b\n" + b'1,"x\ny"\n' * 5 + b"2,z\n" * 3
    whole = read(tmp_path, content)
    assert [number for number, _ in whole] == [2, 4, 6, 8, 10, 12, 13, 14]
    monkeypatch.setattr(delimited, "ROWS_PER_BLOCK", 2)
    assert read(tmp_path, content) == whole


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (b"1", "1 cells instead of 2"),
        (b"1,2,3", "3 cells instead of 2"),
        (b'"1"x,2', "broken row of cells"),
        (b"\xff,2", "no UTF-8 text"),
    ],
)
def test_a_broken_row_is_a_text_and_the_others_are_read(tmp_path: Path, row: bytes, told: str) -> None:
    first, broken, last = read(tmp_path, b"a,b\n1,2\n" + row + b"\n3,4\n")
    assert (first, last) == ((2, {"a": "1", "b": "2"}), (4, {"a": "3", "b": "4"}))
    assert broken[0] == 3
    assert isinstance(broken[1], str)
    assert told in broken[1]


def test_a_cell_may_hold_an_image(tmp_path: Path) -> None:
    image = "A" * 300_000
    assert read(tmp_path, f"a\n{image}\n".encode()) == [(2, {"a": image})]


def test_a_missing_quotation_mark_does_not_swallow_the_rows_behind_it(tmp_path: Path) -> None:
    broken, *others = read(tmp_path, b'a,b\n1,"x\n2,y\n3,z\n4,"w"\n5,v\n')
    assert [number for number, _ in others] == [3, 4, 5, 6]
    assert [fields for _, fields in others] == [{"a": f"{place}", "b": b} for place, b in enumerate("yzwv", 2)]
    assert broken[0] == 2
    assert str(broken[1]).endswith(': 1,"x\n')


def test_a_quotation_mark_that_never_ends_breaks_one_line(tmp_path: Path) -> None:
    broken, last = read(tmp_path, b'a,b\n1,"x\n2,y\n')
    assert (broken[0], last) == (2, (3, {"a": "2", "b": "y"}))


def test_blocks_of_large_cells_stay_small(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"a\n" + (b"A" * 400_000 + b"\n") * 8)
    blocks = list(read_blocks(Folder(str(tmp_path)), "rows.csv"))
    assert [block.first for block in blocks] == [2, 4, 6, 8]
