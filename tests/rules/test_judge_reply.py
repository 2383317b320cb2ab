import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from dt2it_ray.data.criteria import CRITERIA
from dt2it_ray.rules.judge_reply import Reply, parse_reply
from dt2it_ray.rules.reply_fields import Refused
from dt2it_ray.rules.rubric import overall, weights_sum_to_one

WEIGHTS = dict(zip(CRITERIA, (0.4, 0.2, 0.2, 0.1, 0.05, 0.05), strict=True))


def answer(index: int, score: int, stated: float | None = None) -> dict[str, Any]:
    return {
        "index": index,
        "analysis": {criterion: f"{criterion} of {index}" for criterion in CRITERIA},
        "scores": dict.fromkeys(CRITERIA, score),
        "overall": score if stated is None else stated,
    }


def form(*answers: dict[str, Any]) -> dict[str, Any]:
    return {"reference": "A cat.", "weights": WEIGHTS, "answers": list(answers or (answer(1, 8), answer(2, 3)))}


def valid(text: str, num_answers: int = 2) -> Reply:
    reply = parse_reply(text, num_answers)
    assert isinstance(reply, Reply), reply
    return reply


def test_a_reply_gives_scores_in_the_order_of_the_criteria() -> None:
    scored = answer(1, 0)
    scored["scores"] = dict(reversed(list(zip(CRITERIA, (9, 8, 7, 6, 5, 4), strict=True))))
    reply = valid(json.dumps(form(scored)), 1)
    assert reply.reference == "A cat."
    assert reply.weights == (0.4, 0.2, 0.2, 0.1, 0.05, 0.05)
    assert reply.answers[0].scores == (9, 8, 7, 6, 5, 4)
    assert reply.answers[0].analysis[0] == "accuracy of 1"
    assert reply.answers[0].overall == pytest.approx(3.6 + 1.6 + 1.4 + 0.6 + 0.25 + 0.2)


def test_answers_come_in_the_order_shown_whatever_the_order_of_the_reply() -> None:
    there, back = (
        valid(json.dumps(form(*order))) for order in ((answer(1, 8), answer(2, 3)), (answer(2, 3), answer(1, 8)))
    )
    assert there == back
    assert [each.overall for each in there.answers] == [8, 3]


FAULTS = {
    "weights_sum": ("weights", {**WEIGHTS, "accuracy": 0.5}),
    "weight_out_of_range": ("weights", {**WEIGHTS, "accuracy": 1.5}),
    "not_a_number": ("weights", {**WEIGHTS, "accuracy": "much"}),
    "missing_criterion": ("weights", {"accuracy": 1.0}),
    "unknown_criterion": ("weights", {**WEIGHTS, "style": 0.0}),
    "missing_field": ("weights", [1.0]),
    "missing_text": ("reference", None),
    "unknown_field": ("verdict", "first"),
    "missing_answer": ("answers", [answer(1, 8)]),
    "surplus_answer": ("answers", [answer(1, 8), answer(2, 8), answer(3, 8)]),
    "duplicate_index": ("answers", [answer(1, 8), answer(1, 8)]),
    "index_out_of_range": ("answers", [answer(1, 8), answer(3, 8)]),
    "score_out_of_range": ("answers", [answer(1, 8), answer(2, 11)]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_rule_has_a_code_and_repairs_are_told_beside_it(fault: str) -> None:
    field, value = FAULTS[fault]
    text = json.dumps({**form(), field: value})
    for dressed, repairs in ((text, ()), (f"```json\n{text[:-1]},}}\n```", ("fenced", "trailing_comma"))):
        refused = parse_reply(dressed, 2)
        assert isinstance(refused, Refused)
        assert refused.faults == (*repairs, fault)


def test_a_reply_that_is_read_tells_its_repairs_and_wrong_sums() -> None:
    text = json.dumps(form(answer(1, 8, stated=9.5), answer(2, 3, stated=10)))
    assert valid(text).faults == ("overall_disagrees", "overall_disagrees")
    assert valid(f"Here: {json.dumps(form())}").faults == ("prose_around",)
    assert valid(json.dumps(form())).faults == ()


def test_the_overall_is_recomputed_and_wrong_arithmetic_is_counted() -> None:
    reply = valid(json.dumps(form(answer(1, 8, stated=9.5), answer(2, 3, stated=3.01))))
    assert [each.overall for each in reply.answers] == [8, 3]
    assert [each.stated_overall for each in reply.answers] == [9.5, 3.01]
    assert [each.arithmetic_holds for each in reply.answers] == [False, True]


@pytest.mark.parametrize("dress", ["```json\n%s\n```", "Here {is} my view: %s", "%s\n\nThat is all."])
def test_fences_and_prose_around_the_object_do_no_harm(dress: str) -> None:
    assert valid(dress % json.dumps(form())) == valid(json.dumps(form()))


def test_trailing_commas_are_repaired_outside_of_texts_only() -> None:
    text = json.dumps({**form(), "reference": 'a ,} b \\" ,]'}, indent=1)
    broken = text.replace("\n }", ",\n }").replace("\n]", ",\n]")
    assert broken != text
    assert valid(broken) == valid(text)
    assert valid(broken).reference == 'a ,} b \\" ,]'


def set_at(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one place of the form; the value `...` removes it."""

    def change(tree: Any) -> None:
        for step in path[:-1]:
            tree = tree[step]
        if value is ...:
            del tree[path[-1]]
        else:
            tree[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (set_at("reference", value=...), "the reply has no text `reference`"),
        (set_at("reference", value=3), "the reply has no text `reference`"),
        (set_at("weights", value=[0.5, 0.5]), "the reply has no object `weights`"),
        (set_at("weights", "ethics", value=...), "lacks the criterion ethics"),
        (set_at("weights", "style", value=0.0), "the unknown criterion 'style'"),
        (set_at("weights", "accuracy", value="0.4"), "weights.accuracy is '0.4', not a number"),
        (set_at("weights", "accuracy", value=True), "weights.accuracy is True, not a number"),
        (set_at("weights", "accuracy", value=-0.4), "weights.accuracy is -0.4, not a weight"),
        (set_at("weights", "accuracy", value=0.5), "the weights sum to 1.1000"),
        (set_at("answers", value={}), "the reply has no list `answers`"),
        (set_at("answers", 1, value=...), "wrong number of answers: 1 for 2 shown"),
        (set_at("answers", 1, value="good"), "answers[1] is not an object"),
        (set_at("answers", 1, "index", value=1), "duplicate index 1 in answers[1]"),
        (set_at("answers", 1, "index", value=0), "answers[1].index is 0"),
        (set_at("answers", 1, "index", value=3), "answers[1].index is 3"),
        (set_at("answers", 1, "index", value=True), "answers[1].index is True"),
        (set_at("answers", 1, "analysis", value="fine"), "answers[1] has no object `analysis`"),
        (set_at("answers", 1, "analysis", "ethics", value=None), "answers[1].analysis has no text `ethics`"),
        (set_at("answers", 0, "scores", "ethics", value=11), "answers[0].scores.ethics is 11"),
        (set_at("answers", 0, "scores", "ethics", value=-1), "answers[0].scores.ethics is -1"),
        (set_at("answers", 0, "scores", "ethics", value=7.0), "answers[0].scores.ethics is 7.0, not an integer"),
        (set_at("answers", 0, "scores", "ethics", value="7"), "answers[0].scores.ethics is '7'"),
        (set_at("answers", 0, "overall", value=...), "answers[0].overall is None, not a number"),
        (set_at("answers", 0, "mood", value="good"), "answers[0] has the unknown field 'mood'"),
        (set_at("mood", value="good"), "the reply has the unknown field 'mood'"),
        (set_at("answers", 0, "overall", value=10**400), "answers[0].overall is 1000"),
    ],
)
def test_a_reply_that_breaks_the_form_is_refused_with_the_place_and_the_raw_text(
    change: Callable[[Any], None], detail: str
) -> None:
    tree = copy.deepcopy(form())
    change(tree)
    text = json.dumps(tree)
    refused = parse_reply(text, 2)
    assert isinstance(refused, Refused)
    assert detail in refused.detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "no JSON object"),
        ("I cannot judge this.", "no JSON object"),
        (json.dumps(form())[:-5], "the object is cut off"),
        ('{"reference": "open', "the object is cut off"),
        ("[1, 2]", "no JSON object"),
        ("{'reference': 'A cat.'}", "no JSON object"),
        (json.dumps(form()) * 2, "2 JSON objects"),
        ('{"reference": "a", "reference": "b"}', "the key 'reference' stands twice"),
        (json.dumps(form()).replace("0.4", "NaN"), "NaN is not a number"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "not JSON"),
        ("{" * 100_000, "no JSON object"),
    ],
)
def test_a_text_without_exactly_one_object_is_refused(text: str, detail: str) -> None:
    refused = parse_reply(text, 2)
    assert isinstance(refused, Refused)
    assert detail in refused.detail


def test_two_decimal_weights_that_sum_to_nearly_one_pass() -> None:
    assert weights_sum_to_one([0.33, 0.33, 0.33])
    assert weights_sum_to_one([0.34, 0.34, 0.33])
    assert not weights_sum_to_one([0.33, 0.33, 0.32])
    assert weights_sum_to_one([0.5, 0.4], tolerance=0.1)


def test_the_overall_is_a_weighted_mean_with_two_decimals() -> None:
    assert overall([0.5, 0.25, 0.25], [10, 5, 0]) == 6.25
    assert overall([0.33, 0.33, 0.33], [10, 10, 10]) == 10
    assert overall([1, 1, 1], [10, 5, 5]) == 6.67
