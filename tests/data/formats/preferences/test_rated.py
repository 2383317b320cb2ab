"""Several rated or ranked answers to one prompt: VLFeedback, UltraFeedback, MR2-RM."""

from typing import Any

import pytest

from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from tests.data.formats.preferences.reading import named, refusal


def completion(response: str, *ratings: str | None) -> dict[str, Any]:
    aspects = ("Helpfulness", "Ethical Considerations", "Visual Faithfulness")
    return {
        "annotations": {
            name: {"Rating": rating, "Rationale": "x"} for name, rating in zip(aspects, ratings, strict=False)
        },
        "model": f"by-{response}",
        "response": response,
    }


VLFEEDBACK = {
    "id": "v1",
    "prompt": "What is it?",
    "models": ["by-a", "by-b", "by-c"],
    "completions": [completion("a", "4", "5", "3"), completion("b", "2", "5", "2"), completion("c", "5", "4", "3")],
    "img_path": "images/1.jpg",
}
ULTRAFEEDBACK = {
    "source": "evol_instruct",
    "instruction": "Q",
    "completions": [completion("a", "4", "N/A"), completion("b", "2", "3"), completion("c", "N/A", "N/A")],
}
MR2 = {"prompt": "Q", "responses": ["a", "b", "c"], "rankings": [2, 1, 2], "image": "1.jpg", "video": None}


def parsed(form: str, row: dict[str, Any]) -> list[tuple[str, str, float | None]]:
    return [(each.chosen, each.rejected, each.strength) for each in PREFERENCE_FORMATS[form].parse(row)]


def test_vlfeedback_compares_mean_ratings_and_a_tie_makes_no_pair() -> None:
    assert parsed("vlfeedback", VLFEEDBACK) == [("a", "b", 1.0), ("c", "b", 1.0)]
    first = PREFERENCE_FORMATS["vlfeedback"].parse(VLFEEDBACK)[0]
    assert (first.images, first.item) == (named("images/1.jpg"), "v1")
    assert (first.chosen_origin, first.rejected_origin) == ("by-a", "by-b")


def test_completions_stored_as_a_struct_of_lists_are_the_same() -> None:
    rows = VLFEEDBACK["completions"]
    columns = {name: [row[name] for row in rows] for name in ("annotations", "model", "response")}
    as_columns = PREFERENCE_FORMATS["vlfeedback"].parse(VLFEEDBACK | {"completions": columns})
    assert as_columns == PREFERENCE_FORMATS["vlfeedback"].parse(VLFEEDBACK)


def test_ultrafeedback_passes_missing_ratings_over_and_completions_without_any() -> None:
    assert parsed("ultrafeedback", ULTRAFEEDBACK) == [("a", "b", 1.5)]
    assert PREFERENCE_FORMATS["ultrafeedback"].parse(ULTRAFEEDBACK)[0].source == "evol_instruct"


def test_mr2_ranks_are_better_when_lower_and_may_be_shared() -> None:
    assert parsed("mr2_rm", MR2) == [("b", "a", 1.0), ("b", "c", 1.0)]
    assert PREFERENCE_FORMATS["mr2_rm"].parse(MR2 | {"image": None, "video": "v"})[0].images == named("v")
    assert PREFERENCE_FORMATS["mr2_rm"].parse(MR2 | {"image": None})[0].images == ()


@pytest.mark.parametrize(
    ("form", "row", "told"),
    [
        ("vlfeedback", VLFEEDBACK | {"completions": VLFEEDBACK["completions"][:1]}, "too_few_answers"),
        ("vlfeedback", VLFEEDBACK | {"completions": [completion("a", "good")]}, "Helpfulness.Rating: 'good' is no num"),
        ("vlfeedback", VLFEEDBACK | {"completions": "x"}, "field completions: 'x' is no list"),
        ("vlfeedback", VLFEEDBACK | {"completions": ["x"]}, "field completions[0]: 'x' is no struct"),
        ("vlfeedback", VLFEEDBACK | {"completions": {"model": ["a"], "response": []}}, "lists have different lengths"),
        ("vlfeedback", VLFEEDBACK | {"img_path": None}, "field img_path: missing"),
        ("vlfeedback", VLFEEDBACK | {"completions": [{"response": "a"}]}, "field annotations: missing"),
        ("ultrafeedback", {"completions": []}, "field instruction: missing"),
        ("mr2_rm", MR2 | {"video": "v"}, "field image, video: the row has both"),
        ("mr2_rm", MR2 | {"rankings": [1]}, "field rankings: 1 ranks for 3 responses"),
        ("mr2_rm", MR2 | {"rankings": [1, None, 2]}, "field rankings[1]: None is no number"),
        ("mr2_rm", MR2 | {"responses": ["a", "", "c"]}, "field responses[1]: empty"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(form: str, row: dict[str, Any], told: str) -> None:
    assert told in refusal(form, row)
