"""Outside rows of every shape become the same prompts, and a bad one is refused with its place and field."""

from typing import Any

import pytest

from dt2it_ray.data.formats.prompt_rows import read_prompts
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.data.schema import PROMPTS

FLAT = {"image_path": "a.png", "question": "What is it?", "chosen": "A cat.", "rejected": "A dog."}
SHAREGPT = {
    "conversations": [{"from": "human", "value": "<image>What is it?"}],
    "chosen": {"from": "gpt", "value": "A cat."},
    "rejected": {"from": "gpt", "value": "A dog."},
    "images": ["a.png"],
}
OWN = dict.fromkeys(PROMPTS.names) | {"prompt_id": "p", "question": "?", "language": "en"}
SHOWN = OWN | {"images": [{"bytes": b"PNG", "path": None}]}
HI = {"role": "user", "text": "Hi", "images": 1}


def said(**turn: Any) -> dict[str, Any]:
    """An own row with one turn before its question, which is right but for these fields."""
    return OWN | {"history": [HI | {"images": 0} | turn]}


def read(*rows: Any, batch_rows: int = 1024) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    records = (Record("rows.jsonl", number, fields) for number, fields in enumerate(rows, 1))
    batches = list(read_prompts("toy", records, batch_rows))
    return [row for b in batches for row in b.rows.to_pylist()], [row for b in batches for row in b.dropped.to_pylist()]


def without(row: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in fields}


@pytest.mark.parametrize(
    "row",
    [
        without(FLAT, "image_path") | {"image": "a.png"},
        without(FLAT, "image_path") | {"images": ["a.png"]},
        without(FLAT, "image_path") | {"image": {"bytes": None, "path": "a.png"}},
        SHAREGPT,
    ],
)
def test_all_shapes_of_a_pair_are_the_same_prompt(row: dict[str, Any]) -> None:
    assert read(row) == read(FLAT)


def test_a_pair_is_a_prompt_with_a_label() -> None:
    [[row], []] = read(FLAT)
    text_of = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    [label] = row["labels"]
    assert (text_of[label["chosen_id"]], text_of[label["rejected_id"]]) == ("A cat.", "A dog.")
    assert row["images"] == [{"bytes": None, "path": "a.png"}]
    assert (row["source"], row["question"], row["language"]) == ("toy", "What is it?", "en")


def test_a_question_alone_has_no_label_and_may_have_a_reference() -> None:
    [[row], []] = read({"image": "a.png", "question": "这是什么？", "gt": 3})
    assert (row["labels"], row["answers"], row["reference"], row["language"]) == ([], [], "3", "zh")


def test_a_question_without_images_is_a_prompt_too() -> None:
    [[row], []] = read({"question": "Why?"})
    assert row["images"] == []


def test_bytes_count_and_the_name_beside_them_does_not() -> None:
    [[row], []] = read({"question": "Why?", "image": {"bytes": b"PNG", "path": "image.png"}})
    assert row["images"] == [{"bytes": b"PNG", "path": None}]


def test_own_rows_keep_their_planted_truth() -> None:
    own = OWN | {"scene": "{}"}
    [[row], []] = read(own)
    assert row == own
    assert read(without(own, "history")) == read(own)


def test_own_rows_keep_their_history() -> None:
    turns = [HI, {"role": "assistant", "text": "Hello", "images": None}]
    [[row], []] = read(SHOWN | {"history": turns})
    assert row["history"] == turns


def test_turns_before_the_question_are_its_history_and_part_of_its_name() -> None:
    said = [{"from": "human", "value": "<image>Hi"}, {"from": "gpt", "value": "Hello"}]
    turns = [*said, {"from": "human", "value": "What is it?"}]
    [[pair], []] = read(SHAREGPT | {"conversations": turns, "system": "Be brief."})
    assert pair["history"] == [
        {"role": "system", "text": "Be brief.", "images": 0},
        {"role": "user", "text": "Hi", "images": 1},
        {"role": "assistant", "text": "Hello", "images": 0},
    ]
    assert (pair["question"], pair["images"]) == ("What is it?", [{"bytes": None, "path": "a.png"}])
    [[first], []], [[asked], []] = read(SHAREGPT), read({"messages": turns, "images": ["a.png"]})
    assert len({first["prompt_id"], pair["prompt_id"], asked["prompt_id"]}) == 3
    assert (asked["labels"], asked["history"]) == ([], pair["history"][1:])


@pytest.mark.parametrize("batch_rows", [1, 2, 1024])
def test_of_equal_prompts_the_first_stays(batch_rows: int) -> None:
    rows, dropped = read(FLAT, FLAT | {"chosen": "A cow."}, FLAT | {"question": "Where?"}, batch_rows=batch_rows)
    assert [row["question"] for row in rows] == ["What is it?", "Where?"]
    assert [(row["key"], row["reason"]) for row in dropped] == [("rows.jsonl:2", "prompt_repeated")]


@pytest.mark.parametrize(
    ("row", "reason", "told"),
    [
        ("no json", "field_invalid", "whole row"),
        (without(FLAT, "question"), "field_invalid", "field question: missing"),
        (FLAT | {"question": " "}, "field_invalid", "field question: empty"),
        (FLAT | {"chosen": 7}, "field_invalid", "field chosen"),
        (without(FLAT, "rejected"), "field_invalid", "field rejected: missing"),
        (FLAT | {"rejected": "A cat."}, "answers_equal", "same text"),
        (FLAT | {"image_path": {"bytes": None}}, "image_missing", "field image_path"),
        (FLAT | {"image_path": 5}, "field_invalid", "field image_path"),
        (without(FLAT, "image_path") | {"images": 5}, "field_invalid", "field images"),
        (FLAT | {"image_path": {"path": 5}}, "field_invalid", "field image_path"),
        (FLAT | {"image_path": {"bytes": "abc", "path": "a.png"}}, "image_missing", "field image_path"),
        (FLAT | {"image_path": "\ud800.png"}, "field_invalid", "field image_path"),
        (SHAREGPT | {"images": 5}, "field_invalid", "field images"),
        (dict.fromkeys(PROMPTS.names, 5), "field_invalid", "field prompt_id"),
        (dict.fromkeys(PROMPTS.names, 5) | {"prompt_id": "p"}, "field_invalid", "whole row"),
        (OWN | {"question": None}, "field_invalid", "field question"),
        (OWN | {"language": "de"}, "field_invalid", "field language: 'de'"),
        (OWN | {"history": [None]}, "field_invalid", "field history[0]"),
        (said(role="judge"), "field_invalid", "field history[0].role: 'judge'"),
        (said(text=None), "field_invalid", "field history[0].text"),
        (said(images=1), "field_invalid", "field history[0].images: 1 of 0 images are shown by the user"),
        (said(images=-1), "field_invalid", "field history[0].images: -1 of 0 images"),
        (
            SHOWN | {"history": [HI | {"role": "assistant"}]},
            "field_invalid",
            "history[0].images: 1 of 1 images are shown",
        ),
        (SHOWN | {"history": [HI, HI]}, "field_invalid", "field history: 2 images are shown, there are 1"),
        (SHAREGPT | {"images": []}, "field_invalid", "1 <image> for 0 images"),
        (SHAREGPT | {"conversations": []}, "field_invalid", "field conversations"),
        (SHAREGPT | {"chosen": "A cat."}, "field_invalid", "field chosen"),
        (SHAREGPT | {"conversations": [{"value": "<image>"}]}, "field_invalid", "field conversations[0].role: None"),
        (without(FLAT, "image_path") | {"question": "<image>?"}, "field_invalid", "1 <image> for 0 images"),
        (FLAT | {"question": "<video>?"}, "field_invalid", "field question: <video> stands for a file"),
    ],
)
def test_a_bad_row_is_refused_with_its_place_and_field(row: Any, reason: str, told: str) -> None:
    rows, [refused] = read(row)
    assert rows == []
    assert refused["reason"] == reason
    assert "rows.jsonl row 1" in refused["detail"]
    assert told in refused["detail"]
    assert refused["evidence"]
