"""Refused rows as a table."""

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.schema import DROPPED, DropReason


def test_a_refused_row_keeps_its_reason_and_evidence() -> None:
    row = Dropped(DropReason.REPLY_INVALID, "no JSON", "well, ...").row("p1")
    assert row == {"key": "p1", "reason": "reply_invalid", "detail": "no JSON", "evidence": "well, ..."}
    assert dropped_table([row]).to_pylist() == [row]


def test_the_order_of_arrival_does_not_matter() -> None:
    rows = [
        Dropped(reason, "d").row(key)
        for key, reason in (
            ("b", DropReason.IMAGE_MISSING),
            ("a", DropReason.REPLY_INVALID),
            ("a", DropReason.IMAGE_MISSING),
        )
    ]
    table = dropped_table(rows)
    assert table == dropped_table(reversed(rows))
    assert table["key"].to_pylist() == ["a", "a", "b"]
    assert table["reason"].to_pylist() == ["image_missing", "reply_invalid", "image_missing"]


def test_no_refused_rows_are_a_table_with_the_same_columns() -> None:
    assert dropped_table().num_rows == 0
    assert dropped_table().schema == DROPPED
