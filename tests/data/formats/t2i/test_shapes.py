"""Rows of every released shape: what they say, and why a row that says nothing usable is refused."""

from typing import Any

import pytest

from dt2it_ray.data.formats.t2i.choice import Choice, Refusal, RowRefused
from dt2it_ray.data.formats.t2i.read import read_choices
from dt2it_ray.data.formats.t2i.shapes import SHAPES, shape_of
from dt2it_ray.data.schema import DropReason

SIDES = ("chosen", "rejected")
JPG = {"bytes": b"\xff\xd8", "path": None}
PAIR = {"chosen": {"value": "a car"}, "rejected": {"value": "a car"}, "images": ["a.jpg", "b.jpg"]}
PICK = {"caption": "a car", "jpg_0": b"\xff\xd8", "jpg_1": {"bytes": None, "path": "b.jpg"}, "label_0": 0.5}
ROWS: dict[str, tuple[dict[str, Any], Choice]] = {
    "caption_pair": (PAIR, Choice("a car", ["a.jpg", "b.jpg"], None)),
    "pick_a_pic": (PICK, Choice("a car", [JPG, "b.jpg"], (0.5, 0.5))),
    "hpdv2": (
        {"prompt": "a car", "image_path": ["a", "b", "c"], "human_preference": [0, 1, 0]},
        Choice("a car", ["a", "b", "c"], [0.0, 1.0, 0.0]),
    ),
    "hpdv3": ({"prompt": "a car", "path1": "a", "path2": "b"}, Choice("a car", ["a", "b"], None)),
    "image_reward": (
        {"prompt": "a car", "generations": ["a", "b"], "ranking": [2, 1]},
        Choice("a car", ["a", "b"], [-2.0, -1.0]),
    ),
}


def read_one(row: Any, shape: str) -> Choice | RowRefused:
    ((_, reading),) = read_choices([(1, row)], SHAPES[shape])
    return reading


@pytest.mark.parametrize("shape", ROWS)
def test_a_row_shows_its_shape_and_gives_its_choice(shape: str) -> None:
    row, choice = ROWS[shape]
    assert shape_of([row]) == shape
    assert read_one(row, shape) == choice


def test_hpdv2s_test_split_ranks_its_images_best_first() -> None:
    row = {"prompt": "p", "image_path": ["a", "b"], "rank": [1, 2], "raw_annotations": []}
    assert shape_of([row]) == "hpdv2"
    assert read_one(row, "hpdv2") == Choice("p", ["a", "b"], [-1.0, -2.0])


def test_a_list_of_images_tells_ranks_of_hpdv2_from_ranked_rows_of_one_image() -> None:
    row = {"prompt": "p", "image_path": ["a", "b"], "rank": [2, 1]}
    assert shape_of([row]) == shape_of([{**row, "image_path": None}]) == "hpdv2"
    assert read_one(row, "hpdv2") == Choice("p", ["a", "b"], [-2.0, -1.0])
    assert shape_of([{"prompt": "p", "image_path": "a", "rank": 1}]) == "image_reward_rows"


@pytest.mark.parametrize("second", [0.25, 0.26, None])
def test_labels_may_be_rounded_shares_and_the_second_may_be_left_out(second: float | None) -> None:
    choice = read_one({**PICK, "label_0": 0.75, "label_1": second}, "pick_a_pic")
    assert isinstance(choice, Choice)
    assert choice.scores == (0.75, second or 0.25)


@pytest.mark.parametrize(
    ("value", "image"),
    [
        ({"bytes": "abc", "path": "y.jpg"}, "y.jpg"),
        ({"path": "y.jpg"}, "y.jpg"),
        ({"bytes": b"\xff\xd8", "path": 7}, JPG),
        (b"\xff\xd8", JPG),
    ],
)
def test_an_image_is_a_text_unless_its_bytes_are_there(value: Any, image: Any) -> None:
    choice = read_one({**PAIR, "images": [value, "b.jpg"]}, "caption_pair")
    assert choice == Choice("a car", [image, "b.jpg"], None)


def test_the_first_row_that_shows_a_shape_decides() -> None:
    assert shape_of(["no json", {"else": 1}, PAIR, ROWS["hpdv3"][0]]) == "caption_pair"
    assert shape_of(["no json", {"else": 1}]) is None


def test_rows_of_one_image_are_gathered_by_prompt_where_the_first_of_them_stood() -> None:
    scores = [("x", "1", 3), ("y", "2", "4.5"), ("x", "3", 1.0), ("z", "4", 1), ("y", "5", None), ("y", "6", 2)]
    rows = [{"prompt": prompt, "image": image, "score": score} for prompt, image, score in scores]
    readings = list(read_choices(list(enumerate(rows, 1)), SHAPES["evalmuse"]))
    assert [[number for number, _ in members] for members, _ in readings] == [[1, 3], [2, 6], [4], [5]]
    assert readings[0][1] == Choice("x", ["1", "3"], [3.0, 1.0])
    assert readings[1][1] == Choice("y", ["2", "6"], [4.5, 2.0])
    reasons = [reading.reason for _, reading in readings[2:] if isinstance(reading, RowRefused)]
    assert reasons == [Refusal.TOO_FEW_IMAGES, Refusal.FIELD_INVALID]


def test_flat_rows_of_image_reward_are_gathered_by_their_prompts_id() -> None:
    rows = [{"prompt_id": i, "prompt": "p", "image_path": f"{n}", "rank": n} for n, i in enumerate("aabb", 1)]
    assert shape_of(rows) == "image_reward_rows"
    readings = [choice for _, choice in read_choices(list(enumerate(rows, 1)), SHAPES["image_reward_rows"])]
    assert readings == [Choice("p", ["1", "2"], [-1.0, -2.0]), Choice("p", ["3", "4"], [-3.0, -4.0])]


def test_an_image_that_stands_twice_in_a_group_counts_once() -> None:
    rows = [{"prompt": "p", "image": image, "score": 1} for image in ("a", "b", "a")]
    readings = list(read_choices(list(enumerate(rows, 1)), SHAPES["evalmuse"]))
    assert readings[0][1] == Choice("p", ["a", "b"], [1.0, 1.0])
    assert isinstance(readings[1][1], RowRefused)
    assert readings[1][1].reason == Refusal.IMAGES_EQUAL


@pytest.mark.parametrize(
    ("shape", "change", "reason", "field"),
    [
        ("caption_pair", {"chosen": {"value": " "}}, "field_invalid", "chosen.value"),
        ("caption_pair", {side: {"value": "a <image>"} for side in SIDES}, "field_invalid", "chosen.value"),
        ("hpdv3", {"prompt": "<image> a car"}, "field_invalid", "prompt"),
        ("image_reward", {"prompt": "a car<audio>"}, "field_invalid", "prompt"),
        ("caption_pair", {"chosen": "a car"}, "field_invalid", "chosen.value"),
        ("caption_pair", {"rejected": {"value": "another"}}, "field_invalid", "rejected.value"),
        ("caption_pair", {"images": None}, "field_invalid", "images"),
        ("caption_pair", {"images": ["a.jpg"]}, "image_missing", "images"),
        ("caption_pair", {"images": ["a.jpg", "b.jpg", "c.jpg"]}, "image_missing", "images"),
        ("caption_pair", {"images": ["a.jpg", ""]}, "image_missing", "images[1]"),
        ("caption_pair", {"images": ["a.jpg", {"bytes": b"", "path": None}]}, "image_missing", "images[1]"),
        ("caption_pair", {"images": ["a.jpg", {"bytes": "abc"}]}, "image_missing", "images[1]"),
        ("caption_pair", {"images": ["a.jpg", {"path": "a.jpg"}]}, "images_equal", "images[1]"),
        ("caption_pair", {"images": ["a.jpg", "a.jpg"]}, "images_equal", "images[1]"),
        ("pick_a_pic", {"label_0": None}, "field_invalid", "label_0"),
        ("pick_a_pic", {"label_0": float("nan")}, "field_invalid", "label_0"),
        ("pick_a_pic", {"label_0": 7, "label_1": -6}, "field_invalid", "label_0"),
        ("pick_a_pic", {"label_0": 7}, "field_invalid", "label_0"),
        ("pick_a_pic", {"label_0": 0.5, "label_1": 1.5}, "field_invalid", "label_1"),
        ("pick_a_pic", {"label_0": 1, "label_1": 1}, "field_invalid", "label_1"),
        ("pick_a_pic", {"label_0": 0.9, "label_1": 0}, "field_invalid", "label_1"),
        ("pick_a_pic", {"label_0": 0, "label_1": 0}, "not_labelled", "label_0"),
        ("pick_a_pic", {"label_0": -1, "label_1": -1}, "not_labelled", "label_0"),
        ("pick_a_pic", {"has_label": False}, "not_labelled", "has_label"),
        ("pick_a_pic", {"jpg_1": None}, "image_missing", "jpg_1"),
        ("hpdv2", {"human_preference": [1, 0]}, "field_invalid", "human_preference"),
        ("hpdv2", {"human_preference": [1, True, 0]}, "field_invalid", "human_preference[1]"),
        ("image_reward", {"generations": ["a"], "ranking": [1]}, "too_few_images", "generations"),
        ("image_reward", {"generations": ["a", "a"]}, "images_equal", "generations"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(shape: str, change: dict[str, Any], reason: str, field: str) -> None:
    refusal = read_one({**ROWS[shape][0], **change}, shape)
    assert isinstance(refusal, RowRefused)
    assert (str(refusal.reason), refusal.field) == (reason, field)


@pytest.mark.parametrize(
    ("row", "reason"), [("{broken", "not_json"), (["a"], "field_invalid"), (None, "field_invalid")]
)
def test_what_is_no_object_is_refused(row: Any, reason: str) -> None:
    refusal = read_one(row, "caption_pair")
    assert isinstance(refusal, RowRefused)
    assert refusal.reason == reason


def test_reasons_that_stages_know_too_have_their_names() -> None:
    shared = {"FIELD_INVALID", "IMAGE_MISSING", "IMAGE_UNDECODABLE"}
    assert {name: Refusal[name].value for name in shared} == {name: DropReason[name].value for name in shared}
