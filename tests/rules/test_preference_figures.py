"""Figures of a data set are those of its rows, however they are cut into tables."""

import pyarrow as pa
import pytest

from dt2it_ray.rules.preference_figures import MOST_NAMED, PreferenceFigures

ROWS = [
    {"source": "a", "language": "en", "category": None, "question": "four", "chosen": "123", "rejected": "1"},
    {"source": "b", "language": "zh", "category": "c", "question": "四个字啊", "chosen": "12", "rejected": "123456"},
    {"source": "a", "language": "en", "category": "c", "question": "of eight", "chosen": "12", "rejected": "1"},
]
FIELDS = [
    {"images": [], "history": None, "strength": None},
    {"images": [{"path": "x"}, {"path": "y"}], "history": [{"role": "user"}], "strength": 2.0},
    {"images": [{"path": "x"}], "history": [], "strength": 1.0},
]


def table() -> pa.Table:
    return pa.Table.from_pylist([row | fields for row, fields in zip(ROWS, FIELDS, strict=True)])


@pytest.mark.parametrize("rows_at_once", [1, 2, 3])
def test_figures_are_of_all_rows(rows_at_once: int) -> None:
    figures = PreferenceFigures()
    for start in range(0, 3, rows_at_once):
        figures.add(table().slice(start, rows_at_once))
    told = figures.told()
    assert told["rows"] == 3
    assert told["by_source"] == {"a": 2, "b": 1}
    assert told["by_category"] == {"c": 2, "": 1}
    assert told["by_images"] == {"0": 1, "1": 1, "2": 1}
    assert told["by_turns_before"] == {"0": 2, "1": 1}
    assert told["characters"]["question"]["p50"] == 4
    assert told["characters"]["rejected"]["mean"] == pytest.approx(8 / 3)
    assert told["chosen_longer"] == pytest.approx(2 / 3)
    assert (told["strength"]["known"], told["strength"]["p50"]) == (2, 1.5)


def test_of_many_values_the_most_frequent_are_named() -> None:
    figures = PreferenceFigures()
    names = [f"s{number}" for number in range(MOST_NAMED + 5)] + ["s3"]
    figures.add(pa.table({"source": names}))
    told = figures.told()["by_source"]
    assert len(told) == MOST_NAMED + 1
    assert next(iter(told.items())) == ("s3", 2)
    assert sum(told.values()) == len(names)


def test_nothing_has_no_figures() -> None:
    told = PreferenceFigures().told()
    assert (told["rows"], told["chosen_longer"], told["strength"]) == (0, None, {"known": 0})
