"""Prompts with several answers, read to be scored: chats or questions, images opened, refused rows named."""

from pathlib import Path
from typing import Any

from dt2it_ray.data.answered import ANSWERED
from dt2it_ray.stages import answered_rows
from dt2it_ray.stages.answered_rows import AnsweredFiles, load_answered
from tests.stages.ingest_files import picture, write_lines


def load(tmp_path: Path, *rows: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and refused rows of a file whose images lie beside it."""
    address = write_lines(tmp_path / "rows.jsonl", list(rows))
    outcomes = list(load_answered({}, AnsweredFiles(address=address, files={}, root=str(tmp_path))))
    assert all(outcome.rows.schema == ANSWERED for outcome in outcomes)
    made, refused = (
        [row for outcome in outcomes for row in getattr(outcome, name).to_pylist()] for name in ("rows", "dropped")
    )
    return made, refused


def test_questions_and_chats_are_read_in_their_order_with_images_opened(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    turns = (("user", "Hi"), ("assistant", "Yes?"), ("user", "Why?"))
    chat = [{"role": role, "content": text} for role, text in turns]
    rows, refused = load(
        tmp_path,
        {"id": 7, "prompt": "<image>Which?", "image": "a.png", "responses": ["This.", "That."]},
        {"messages": chat, "answers": ["So."]},
    )
    assert not refused
    assert [row["row_id"] for row in rows] == ["rows.jsonl:000000001", "rows.jsonl:000000002"]
    assert [(row["item"], row["question"], row["answers"]) for row in rows] == [
        ("7", "Which?", ["This.", "That."]),
        (None, "Why?", ["So."]),
    ]
    assert rows[0]["images"] == [{"bytes": picture(1), "path": "a.png"}]
    assert [turn["text"] for turn in rows[1]["history"]] == ["Hi", "Yes?"]


def test_rows_that_cannot_be_scored_are_refused_with_their_place_and_field(tmp_path: Path) -> None:
    rows, refused = load(
        tmp_path,
        {"question": "<image>Which?", "answers": ["This."]},
        {"question": "Which?", "answers": []},
        {"question": "Which?"},
        {"question": "Which?", "image": "gone.png", "answers": ["This."]},
        {"question": "Which?", "answers": ["This.", " "]},
        {"answers": ["This."]},
        [1],
        {"question": "Which?", "answers": ["This."]},
    )
    assert [row["row"] for row in rows] == [8]
    told = {int(row["key"][-9:]): (row["reason"], row["detail"].partition(":")[0]) for row in refused}
    assert told == {
        1: ("field_invalid", "field question"),
        2: ("too_few_answers", "field answers"),
        3: ("field_invalid", "field answers"),
        4: ("image_missing", "field images"),
        5: ("field_invalid", "field answers[1]"),
        6: ("field_invalid", "field question"),
        7: ("field_invalid", "whole row"),
    }


def test_however_many_rows_are_read_at_once_nothing_changes(tmp_path: Path, monkeypatch: Any) -> None:
    many = [{"question": f"Which {n}?", "answers": [] if n % 3 else ["a"]} for n in range(10)]
    whole = load(tmp_path, *many)
    monkeypatch.setattr(answered_rows, "ROWS_AT_ONCE", 3)
    assert load(tmp_path, *many) == whole
