"""What a rated prompt gives to each training set."""

from dataclasses import replace

import pytest

from dt2it_ray.rules.granular_sets import RatedPrompt, derive_examples, nearest_whole, steered, unrated_answer

PROMPT = RatedPrompt(
    question="Q?",
    reference="",
    texts={"a": "best", "b": "middling", "c": "bad"},
    sampled=["b", "a"],
    graded=[
        {"answer_id": "a", "values": [4.0, 4.0, 3.0, 1.0, 2.0], "quality": 11.0},
        {"answer_id": "b", "values": [3.0, 2.5, 3.0, 1.0, 2.0], "quality": 8.5},
        {"answer_id": "c", "values": [0.0, 0.0, 1.0, 0.0, 0.0], "quality": 1.0},
    ],
    chosen_id="a",
    rejected_id="c",
    gap=10.0,
)


def of_set(prompt: RatedPrompt, name: str, min_quality: float = 0) -> list[dict]:
    return [example for example in derive_examples(prompt, min_quality) if example["set"] == name]


def test_a_preference_has_the_gap_as_margin_and_a_skipped_prompt_has_none() -> None:
    preference = {"set": "dpo", "question": "Q?", "answer": "best", "rejected": "bad", "margin": 10.0}
    assert of_set(PROMPT, "dpo") == [preference]
    assert of_set(replace(PROMPT, rejected_id=None, gap=None), "dpo") == []


@pytest.mark.parametrize(("min_quality", "taken"), [(0, 1), (11, 1), (11.5, 0)])
def test_rejection_sampling_takes_the_best_answer_if_it_is_good_enough(min_quality: float, taken: int) -> None:
    examples = of_set(PROMPT, "rejection_sampling", min_quality)
    assert [(each["answer"], each["rejected"]) for each in examples] == [("best", None)] * taken


def test_steerlm_asks_for_each_answer_with_the_attributes_it_has() -> None:
    asked = [(each["question"], each["answer"]) for each in of_set(PROMPT, "steerlm")]
    assert asked == [
        ("Q?\n\nhelpfulness:4,correctness:4,coherence:3,complexity:1,verbosity:2", "best"),
        ("Q?\n\nhelpfulness:3,correctness:3,coherence:3,complexity:1,verbosity:2", "middling"),
        ("Q?\n\nhelpfulness:0,correctness:0,coherence:1,complexity:0,verbosity:0", "bad"),
    ]


def test_means_over_raters_go_to_the_nearest_whole_number_and_halves_up() -> None:
    means = (0.0, 1 / 3, 0.5, 1.5, 2.5, 2.66, 4.0)
    assert [nearest_whole(value) for value in means] == [0, 0, 1, 2, 3, 3, 4]


def test_the_unrated_answer_is_the_reference_or_a_sample_that_no_rating_picked() -> None:
    assert unrated_answer(replace(PROMPT, reference="Truth.")) == "Truth."
    assert unrated_answer(PROMPT) == "best"
    assert unrated_answer(replace(PROMPT, reference=" \n", sampled=["c", "b"])) == "middling"
    assert unrated_answer(replace(PROMPT, sampled=[])) is None
    assert of_set(replace(PROMPT, sampled=[]), "sft") == []
    assert [each["answer"] for each in of_set(replace(PROMPT, reference="Truth."), "sft")] == ["Truth."]


def test_values_must_be_all_five() -> None:
    with pytest.raises(ValueError, match="zip"):
        steered("Q?", [4, 4, 4])
