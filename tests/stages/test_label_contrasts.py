"""Constructions are compared over all worlds and in each of them."""

import pyarrow as pa
import pytest

from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.label_contrasts import CONTRASTED, ContrastSettings, contrast_labels
from tests.rules.tables import shuffled

SETTINGS = ContrastSettings(contrasts=(("plain", "better"),), intervals=IntervalSettings(samples=200))


def truth(world: str, right: int, wrong: int) -> pa.Table:
    margins = [1.0] * right + [-1.0] * wrong
    names = [f"{world} {place:02d}" for place in range(len(margins))]
    return pa.table({"pair_id": names, "prompt_id": names, "margin": margins}, schema=CONTRASTED.reads["truth/*"])


TABLES = {
    "truth/plain/0": truth("0", 10, 10),
    "truth/plain/1": truth("1", 5, 15),
    "truth/better/0": truth("0", 15, 5),
    "truth/better/1": truth("1", 15, 5),
}


def test_shares_are_of_all_worlds_together_and_differences_of_each_too() -> None:
    told = contrast_labels(TABLES, SETTINGS).metrics
    shares = {name: figures["precision"]["value"] for name, figures in told["constructions"].items()}
    assert shares == {"better": 0.75, "plain": 0.375}
    assert told["constructions"]["plain"]["better"] == 15
    found = told["contrasts"]["plain to better"]["precision"]
    assert (found["value"], found["by_world"]) == (0.375, {"0": 0.25, "1": 0.5})
    assert 0 < found["low"] < 0.375 < found["high"]
    assert found["p_value"] == pytest.approx(2 / 201, abs=1e-6)


def test_every_world_and_all_together_have_a_row_per_figure() -> None:
    rows = contrast_labels(TABLES, SETTINGS).rows
    assert rows.schema.equals(CONTRASTED.writes)
    assert sorted(zip(rows["world"].to_pylist(), rows["figure"].to_pylist(), strict=True)) == [
        (world, figure) for world in ("", "0", "1") for figure in ("precision", "precision_of_unequal")
    ]
    assert len(set(rows["contrast_id"].to_pylist())) == 6
    assert set(rows["n"].to_pylist()) == {80, 40}


def test_the_order_of_rows_changes_nothing() -> None:
    mixed = contrast_labels({name: shuffled(table) for name, table in TABLES.items()}, SETTINGS)
    assert mixed.rows.equals(contrast_labels(TABLES, SETTINGS).rows)
    assert mixed.metrics == contrast_labels(TABLES, SETTINGS).metrics
