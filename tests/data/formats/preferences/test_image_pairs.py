"""Released rows of one question about an image: each data set's columns and oddities."""

import json
from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences.image_pairs import release_rlaif_v
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from tests.data.formats.preferences.reading import named, only, refusal, texts

PAIR = {"question": "What is it?", "chosen": "A cat.", "rejected": "A dog."}
HELD = {"bytes": b"PNG", "path": "x.jpg"}
SAID = ("What is it?", "A cat.", "A dog.")
RLAIF_V = {
    **PAIR,
    "ds_name": "RLAIF-V",
    "image": HELD,
    "origin_dataset": "VQAv2",
    "origin_split": json.dumps({"model": "llava", "type": "question answering"}),
    "idx": "17",
    "image_path": "images/17.jpg",
}
RLHF_V = {"image": HELD, "text": json.dumps(PAIR), "idx": 0, "image_path": "x.jpg", "origin_dataset": "LCS"}
MM_RLHF = {
    "id": "m1",
    "image": "mcq/a.png",
    "prompt": "What is it?",
    "chosen": "A cat.",
    "rejected": "A dog.",
    "chosen_reason": "right",
}


def test_rlaif_v_says_the_model_and_kind_of_question_in_json() -> None:
    found = only("rlaif_v", RLAIF_V)
    assert texts(found) == SAID
    assert found.images == ({"bytes": b"PNG", "path": None},)
    assert (found.item, found.source, found.category) == ("17", "VQAv2", "question answering")
    assert (found.chosen_origin, found.rejected_origin) == ("llava", "llava")


def test_rlaif_v_without_an_image_column_has_the_image_by_its_path() -> None:
    assert only("rlaif_v", RLAIF_V | {"image": None, "origin_split": ""}).images == named("images/17.jpg")


def test_rlhf_v_has_question_and_answers_as_json_in_a_text() -> None:
    found = only("rlhf_v", RLHF_V)
    assert (texts(found), found.item, found.source) == (SAID, "0", "LCS")
    assert only("rlhf_v", RLHF_V | {"text": PAIR}) == found


def test_spa_vl_says_its_classes_of_harm_in_the_validation_rows_only() -> None:
    row = {**PAIR, "image": HELD, "image_name": "9.jpg"}
    assert (only("spa_vl", row).category, only("spa_vl", row).item) == (None, "9.jpg")
    classes = {"class1": "Toxicity", "class2": "Hate", "class3": None}
    assert only("spa_vl", row | classes).category == "Toxicity/Hate"


def test_mmpr_shows_its_image_as_a_mark_or_not() -> None:
    plain = only("mmpr", {**PAIR, "image": "a.png"})
    assert (texts(plain), plain.images) == (SAID, named("a.png"))
    assert only("mmpr", {**PAIR, "question": "<image>\nWhat is it?", "image": "a.png"}) == plain


def test_mm_rlhf_has_an_image_or_a_video_and_no_pair_for_a_tie() -> None:
    assert (texts(only("mm_rlhf", MM_RLHF)), only("mm_rlhf", MM_RLHF).item) == (SAID, "m1")
    video = {**MM_RLHF, "image": None, "video": "video/7"}
    assert only("mm_rlhf", video).images == named("video/7")
    assert only("mm_rlhf", {**video, "image": ""}).images == named("video/7")
    assert PREFERENCE_FORMATS["mm_rlhf"].parse({**MM_RLHF, "is_tie": True}) == []


def test_people_s_reasons_of_mm_rlhf_are_critiques() -> None:
    found = only("mm_rlhf", MM_RLHF)
    assert (found.chosen_critique, found.rejected_critique) == ("right", None)


def test_unified_reward_asks_with_a_prompt() -> None:
    row = {"id": 5, "image": "a.png", "prompt": "What is it?", "chosen": "A cat.", "rejected": "A dog."}
    assert (texts(only("unified_reward", row)), only("unified_reward", row).item) == (SAID, "5")


@pytest.mark.parametrize(
    ("form", "row", "told"),
    [
        ("rlaif_v", RLAIF_V | {"origin_split": "{"}, "field origin_split: '{' is not JSON"),
        ("rlaif_v", {**PAIR}, "field image: missing"),
        ("rlaif_v", RLAIF_V | {"image": {"bytes": None, "path": None}}, "image_missing: field image"),
        ("rlaif_v", RLAIF_V | {"rejected": "A cat."}, "answers_equal"),
        ("rlaif_v", RLAIF_V | {"chosen": ""}, "field chosen: empty"),
        ("rlaif_v", RLAIF_V | {"idx": ["1"]}, "field idx: ['1'] is neither text nor number"),
        ("rlhf_v", RLHF_V | {"text": "What?"}, "field text: 'What?' is not JSON"),
        ("rlhf_v", RLHF_V | {"text": "[1]"}, "field text: [1] is no struct"),
        ("rlhf_v", RLHF_V | {"text": json.dumps({"question": "Q", "chosen": "a"})}, "field rejected: missing"),
        ("spa_vl", {"image": HELD}, "field question: missing"),
        ("mmpr", {**PAIR, "question": "<image> or <image>?", "image": "a.png"}, "2 <image> for 1 images"),
        ("mm_rlhf", {**MM_RLHF, "video": "v"}, "field image, video: the row has image and video, not one"),
        ("mm_rlhf", {**MM_RLHF, "image": None}, "the row has neither, not one"),
        ("unified_reward", {"image": "a.png", "chosen": "a", "rejected": "b"}, "field prompt: missing"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(form: str, row: dict[str, Any], told: str) -> None:
    assert told in refusal(form, row)


@pytest.mark.parametrize(
    ("pair", "images"),
    [
        (Preference("Q", "a", "b"), []),
        (Preference("Q", "a", "b"), ["a.png", "b.png"]),
        (Preference("see <image>", "a", "b"), ["a.png"]),
        (Preference("Q", "a", "b", history=(Turn("user", "Hi"),)), ["a.png"]),
    ],
)
def test_rlaif_v_holds_one_question_about_one_image(pair: Preference, images: list[str]) -> None:
    assert release_rlaif_v(pair, images) is None


def test_rlaif_v_is_written_with_the_columns_of_the_release() -> None:
    pair = Preference("Q", "a", "b", item="3", category="count", source="toy", chosen_origin="m", rejected_origin="n")
    row = release_rlaif_v(pair, ["a.png"])
    assert row is not None
    assert list(row) == [*("ds_name", "image", "question", "chosen", "rejected"), *list(RLAIF_V)[5:]]
    assert (row["image"], row["image_path"], row["idx"]) == ("a.png", "a.png", "3")
    assert json.loads(row["origin_split"]) == {"type": "count"}
