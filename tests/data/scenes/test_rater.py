"""The simulated rater: it knows the truth, errs as told, and fills in the form that the parser reads."""

import pytest

from dt2it_ray.data.attributes import ATTRIBUTES
from dt2it_ray.data.scenes.annotator import AnnotatorSettings, Sheet
from dt2it_ray.data.scenes.answers import pick_extras, write_answer
from dt2it_ray.data.scenes.prompts import draw_prompt
from dt2it_ray.data.scenes.rater import rate
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.models.protocols import JudgeRequest
from dt2it_ray.models.simulated_judge import SimulatedJudge
from dt2it_ray.rules.rating_reply import RatingReply, parse_rating

CASES = 300
PERFECT = {"error_rate": 0.0, "position_bias": 0.0, "score_noise": 0.0, "malformed": 0.0}


def sheet(number: int, wrong_first: bool = False) -> Sheet:
    """A question with a right and a wrong answer of one style."""
    asked = draw_prompt(f"rater test {number}")
    question = asked.question
    values = (question.value, question.false_values[0])
    texts = [write_answer(asked.scene, question, value, "hedged", question.language) for value in values]
    shown = tuple(texts[::-1] if wrong_first else texts)
    return Sheet(Truth.from_json(asked.truth_json()), question.text, question.language, shown)


def rated(shown: Sheet, **settings: float) -> tuple[tuple[int, ...], ...]:
    text = rate(AnnotatorSettings.model_validate({**PERFECT, **settings}), "rater", shown, 1)
    reply = parse_rating(text, shown.answers)
    assert isinstance(reply, RatingReply), reply
    return reply.answers


def quality(values: tuple[int, ...]) -> int:
    return sum(values[:3])


def test_a_perfect_rater_puts_the_right_answer_at_least_two_points_above_the_wrong_one() -> None:
    for number in range(CASES // 2):
        right, wrong = rated(sheet(number))
        assert quality(right) >= quality(wrong) + 2
        assert rated(sheet(number, wrong_first=True)) == (wrong, right)


def test_false_extra_claims_cost_quality_and_length_shows_in_verbosity_only() -> None:
    asked = draw_prompt("rater extras")
    question, scene = asked.question, asked.scene
    extras = [pick_extras(scene, question, truths, 0) for truths in ([], [True], [False])]
    texts = [write_answer(scene, question, question.value, "markdown", question.language, each) for each in extras]
    shown = Sheet(Truth.from_json(asked.truth_json()), question.text, question.language, tuple(texts))
    plain, true, false = (dict(zip(ATTRIBUTES, values, strict=True)) for values in rated(shown))
    assert plain["correctness"] == true["correctness"] > false["correctness"]
    assert plain["verbosity"] < true["verbosity"]
    assert plain["helpfulness"] == true["helpfulness"]


def test_errors_fall_as_often_as_told() -> None:
    seen = [rated(sheet(number), error_rate=0.2) for number in range(2 * CASES)]
    assert 0.17 < sum(quality(right) < 10 for right, _ in seen) / len(seen) < 0.23
    assert 0.17 < sum(quality(wrong) > 10 for _, wrong in seen) / len(seen) < 0.23


def test_a_biased_rater_favours_the_answer_shown_first() -> None:
    for number in range(20):
        second, first = (rated(sheet(number, wrong_first), position_bias=1.0) for wrong_first in (False, True))
        assert quality(first[0]) > quality(second[1])


@pytest.mark.parametrize("answers", [1, 2])
def test_every_malformed_reply_is_refused_and_its_share_is_as_told(answers: int) -> None:
    settings = AnnotatorSettings(malformed=0.4)
    shown = [Sheet(s.truth, s.question, s.language, s.answers[:answers]) for s in map(sheet, range(CASES))]
    replies = [rate(settings, "rater", each, 1) for each in shown]
    refused = [not is_valid(text, answers) for text in replies]
    assert 0.3 < sum(refused) / CASES < 0.5
    assert sum(is_valid(rate(settings, "rater", each, 2), answers) for each in shown) > CASES / 2


def is_valid(text: str, answers: int) -> bool:
    return isinstance(parse_rating(text, ["?"] * answers), RatingReply)


def test_a_reply_depends_on_name_and_seed_and_nothing_else() -> None:
    settings = AnnotatorSettings(score_noise=5)
    shown = sheet(0)
    assert rate(settings, "rater", shown, 1) == rate(settings, "rater", shown, 1)
    assert rate(settings, "other", shown, 1) != rate(settings, "rater", shown, 1)
    assert rate(settings.model_copy(update={"seed": 1}), "rater", shown, 1) != rate(settings, "rater", shown, 1)


def test_a_simulated_judge_that_fills_in_ratings_rates() -> None:
    shown = sheet(0)
    request = JudgeRequest(
        "granular p", shown.question, "", shown.language, (), shown.answers, 2, shown.truth.to_json()
    )
    settings = AnnotatorSettings(score_noise=5)
    assert SimulatedJudge("rater", settings, rate).reply([request]) == [rate(settings, "rater", shown, 2)]
