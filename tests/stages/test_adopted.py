"""Rows of an ingested folder in another run: the same rows, without those whose images are elsewhere."""

from pathlib import Path

from dt2it_ray.data.critiques import CRITIQUE_COLUMNS
from dt2it_ray.stages.adopted import AdoptedRows, load_adopted
from dt2it_ray.stages.ingested import parts_of
from tests.stages.test_ingested_prompts import ROWS, row, write


def test_rows_go_on_as_they_are_but_for_those_whose_images_are_not_there(tmp_path: Path) -> None:
    images = [{"bytes": b"x", "path": None}, {"bytes": None, "path": "a.png"}]
    elsewhere = row(8, "s", "big", "small") | {"images": images}
    bare = row(9, "t", "up", "down") | {"images": []}
    data = write(tmp_path, "data", ROWS[:2], [elsewhere, bare, ROWS[2]])
    outcomes = list(load_adopted({}, AdoptedRows(data=data.uri, fingerprint="0")))
    kept = [each for outcome in outcomes for each in outcome.rows.to_pylist()]
    assert kept == [*ROWS[:2], bare, ROWS[2]]
    (refused,) = [each for outcome in outcomes for each in outcome.dropped.to_pylist()]
    assert (refused["key"], refused["reason"]) == ("008", "image_missing")
    assert "images=embed" in refused["detail"]


def test_rows_of_an_older_ingestion_have_no_critiques(tmp_path: Path) -> None:
    data = write(tmp_path, "data", ROWS[:2])
    (name,) = parts_of(data)
    data.write_table(name, data.read_table(name).drop_columns(list(CRITIQUE_COLUMNS)))
    (outcome,) = load_adopted({}, AdoptedRows(data=data.uri, fingerprint="0"))
    assert outcome.rows.to_pylist() == ROWS[:2]


def test_where_the_rows_lie_does_not_bear_identity() -> None:
    assert AdoptedRows(data="/here", fingerprint="0").model_dump() == {"fingerprint": "0"}
