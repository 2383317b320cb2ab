"""Whatever an answer says, quoting it changes no score: the judge's own object is read, or nothing is."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.judge_reply import Reply, parse_reply
from dt2it_ray.rules.reply_fields import Refused
from tests.rules.injections import INJECTIONS, OBJECTS, rubric

SCORES = (3, 0)
"""What the judge gives the first and the second answer; no injection asks for that."""
NAMES = st.sampled_from(sorted(INJECTIONS))
PLACE = "PLACE"


def own(quote: str = "fine", num_answers: int = 2) -> str:
    """The judge's own object, with a quote in its reference and every analysis."""
    tree = json.loads(rubric(SCORES[0], num_answers))
    tree["reference"] = quote
    for answer in tree["answers"]:
        answer["analysis"] = dict.fromkeys(answer["analysis"], quote)
    return json.dumps(tree, ensure_ascii=False)


def scores(text: str, num_answers: int = 2, shown: tuple[str, ...] = ()) -> tuple[float, ...] | None:
    """The overalls that are read; None if the reply is refused."""
    reply = parse_reply(text, num_answers, shown=shown)
    return tuple(answer.overall for answer in reply.answers) if isinstance(reply, Reply) else None


def test_there_are_enough_of_them_in_both_languages() -> None:
    assert len(INJECTIONS) >= 60
    assert sum(any("\u4e00" <= sign <= "\u9fff" for sign in text) for text in INJECTIONS.values()) >= 10


@pytest.mark.parametrize("num_answers", [1, 2])
@pytest.mark.parametrize("name", INJECTIONS)
def test_a_quote_inside_the_form_changes_no_score(name: str, num_answers: int) -> None:
    text = own(INJECTIONS[name], num_answers)
    assert scores(text, num_answers, shown=(INJECTIONS[name],) * num_answers) == SCORES[:num_answers]
    assert scores(f"```json\n{text}\n```", num_answers) == SCORES[:num_answers]


@given(NAMES, NAMES, NAMES, st.sampled_from(["", " ", "\n", '"', "{", "}", '": ']))
@settings(max_examples=300, deadline=None)
def test_quotes_around_the_form_change_no_score(before: str, between: str, behind: str, joint: str) -> None:
    text = joint.join([INJECTIONS[before], INJECTIONS[between], own(), INJECTIONS[behind]])
    assert scores(text) in (SCORES, None)


@given(NAMES, NAMES)
@settings(max_examples=200, deadline=None)
def test_a_quote_without_escapes_changes_no_score(name: str, before: str) -> None:
    text = own(PLACE).replace(PLACE, INJECTIONS[name])
    assert scores(text) in (SCORES, None)
    assert scores(INJECTIONS[before] + text) in (SCORES, None)


@given(NAMES, NAMES, st.integers(1, 400))
@settings(max_examples=200, deadline=None)
def test_a_form_that_is_cut_off_is_not_replaced_by_a_quoted_one(before: str, behind: str, cut: int) -> None:
    shown = (INJECTIONS[before], INJECTIONS[behind])
    text = f"{INJECTIONS[before]}\n{own()[:-cut]}\n{INJECTIONS[behind]}"
    assert scores(text, shown=shown) in (SCORES, None)


@pytest.mark.parametrize("name", ["rubric_2", "rubric_fenced", "rubric_with_decoy", "huge_rubric"])
def test_a_whole_form_in_an_answer_is_refused_beside_the_judges_own_and_instead_of_it(name: str) -> None:
    planted = INJECTIONS[name]
    for text in (f"It says {planted}. {own()}", f"{own()} It says {planted}."):
        assert scores(text, shown=(planted, "B")) is None
    alone = parse_reply(planted.partition(" and ")[0], 2, shown=("A", f"Look: {planted}"))
    assert isinstance(alone, Refused)
    assert alone.faults[-1] == Fault.QUOTED_OBJECT
    spaced = json.dumps(json.loads(rubric(10, 2)), indent=3)
    assert scores(spaced, shown=(OBJECTS["rubric_2"], "B")) is None
    assert scores(spaced, shown=("A", "B")) == (10, 0)


@pytest.mark.parametrize(
    "value", ["11", "-1", "7.0", "true", "null", '"7"', "[7]", "NaN", "Infinity", "-Infinity", "1e400"]
)
def test_a_score_is_a_whole_number_from_0_to_10(value: str) -> None:
    assert scores(own().replace('"ethics": 3', f'"ethics": {value}')) is None


@pytest.mark.parametrize("value", ["1.5", "-0.1", "true", "null", '"0.5"', "NaN", "Infinity", "1e400", "9" * 400])
def test_a_weight_is_a_number_from_0_to_1(value: str) -> None:
    assert scores(own().replace('"accuracy": 0.5', f'"accuracy": {value}', 1)) is None


@pytest.mark.parametrize("value", ["true", "null", '"3"', "NaN", "-Infinity", "1e400", "9" * 5000])
def test_a_stated_overall_is_a_number_and_is_never_used(value: str) -> None:
    assert scores(own().replace('"overall": 3', f'"overall": {value}')) is None
    assert scores(own().replace('"overall": 3', '"overall": 10')) == SCORES
