"""How a simulated annotator replies: it sees the planted truth, errs as often as told, and fills in the rubric."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from dt2it_ray.data.criteria import CRITERIA
from dt2it_ray.data.ids import content_id, unit_interval
from dt2it_ray.data.scenes.perception import Perceived, perceive
from dt2it_ray.data.scenes.scene import drawer
from dt2it_ray.data.scenes.truth import BETTER_IMAGE, CHOICES, Truth
from dt2it_ray.data.scenes.wording import claim_text
from dt2it_ray.settings import Settings

_WEIGHTS = (40, 20, 15, 10, 5, 10)
"""Hundredths; up to ten of them move from accuracy to helpfulness."""
_FLUENT, _CREATIVE, _ETHICAL = 8, 5, 9
_MAIN = {"right": (9, 8, 6), "wrong": (3, 3, 4), "missing": (2, 2, 2)}
"""Accuracy, helpfulness and completeness by what the main claim is."""
_FAVOUR = 5
"""Points that a judge biased to the first position adds to it."""
_NOTES = {
    "en": {
        "right": "The question is answered correctly",
        "wrong": "The answer to the question is wrong",
        "missing": "The question is not answered",
        "extras": "; {right} further claims hold and {wrong} do not.",
        "other": "Nothing unusual.",
    },
    "zh": {
        "right": "对问题的回答正确",
        "wrong": "对问题的回答错误",
        "missing": "没有回答问题",
        "extras": "；另有{right}处说法属实，{wrong}处不属实。",
        "other": "没有异常。",
    },
}


class AnnotatorSettings(Settings):
    """How reliable a simulated annotator is."""

    seed: int = 0
    """Other seeds err elsewhere."""
    error_rate: float = Field(default=0.08, ge=0, le=1)
    """Chance that the main claim of an answer is seen the wrong way round, and likewise one of its further claims."""
    shared_errors: float = Field(default=0.5, ge=0, le=1)
    """Part of the chances that fall alike for an answer however it is shown; the others are drawn anew by number of
    answers and place, so that listwise and pointwise, and the two orders of a pair, err in part independently."""
    position_bias: float = Field(default=0.05, ge=0, le=1)
    """Part of the judgements of several answers that favour the answer shown first, whatever it says."""
    score_noise: float = Field(default=0.5, ge=0, le=5)
    """Standard deviation, in points, of what is added to each score before it is rounded."""
    malformed: float = Field(default=0.03, ge=0, le=1)
    """Chance that a reply is not a valid form: cut off, with a wrong number of answers, or prose. Drawn per attempt."""
    fenced: float = Field(default=0.2, ge=0, le=1)
    """Part of the replies that wrap the form in a Markdown code fence."""


@dataclass(frozen=True)
class Sheet:
    """What an annotator is shown: the planted truth, a question and answers in the order shown."""

    truth: Truth
    question: str
    language: str
    answers: tuple[str, ...]
    reference: str = ""


def annotate(settings: AnnotatorSettings, judge: str, sheet: Sheet, attempt: int) -> str:
    """The reply of the annotator named `judge`: the rubric form as JSON, sometimes fenced, sometimes malformed.

    A function of the arguments alone. What is seen in an answer does not depend on the attempt, nor on the other
    answers beyond their number and its place among them; whether a reply is malformed does depend on both.
    """
    key = content_id("annotator", settings.seed, judge, sheet.truth.to_json(), sheet.question)
    form = _fill_form(settings, key, sheet)
    shown = (key, attempt, *sheet.answers)
    if unit_interval("malformed", *shown) < settings.malformed:
        return _break_form(form, unit_interval("break", *shown))
    text = json.dumps(form, ensure_ascii=False)
    return f"```json\n{text}\n```" if unit_interval("fenced", *shown) < settings.fenced else text


def _fill_form(settings: AnnotatorSettings, key: str, sheet: Sheet) -> dict[str, Any]:
    weights = _weights(key)
    favoured = len(sheet.answers) > 1 and unit_interval("favours", key, *sheet.answers) < settings.position_bias
    filled = []
    for place, text in enumerate(sheet.answers):
        grade = sheet.truth.grade(sheet.question, sheet.language, text)
        answer, view = content_id(key, text), f"{place + 1} of {len(sheet.answers)}"
        seen = perceive(grade, answer, view, settings.error_rate, settings.shared_errors)
        scores = _scores(seen, favoured and place == 0, settings.score_noise, f"{answer} {view}")
        filled.append(_fill_answer(place + 1, seen, scores, weights, sheet.language))
    reference = sheet.reference or _reference(sheet)
    return {"reference": reference, "weights": dict(zip(CRITERIA, weights, strict=True)), "answers": filled}


def _fill_answer(
    index: int, seen: Perceived, scores: Sequence[int], weights: Sequence[float], language: str
) -> dict[str, Any]:
    notes = _NOTES[language]
    accuracy = notes[seen.main] + notes["extras"].format(right=seen.extra_right, wrong=seen.extra_wrong)
    overall = sum(weight * score for weight, score in zip(weights, scores, strict=True))
    return {
        "index": index,
        "analysis": {criterion: accuracy if criterion == "accuracy" else notes["other"] for criterion in CRITERIA},
        "scores": dict(zip(CRITERIA, scores, strict=True)),
        "overall": round(overall, 2),
    }


def _scores(seen: Perceived, favoured: bool, noise: float, key: str) -> list[int]:
    """Integers from 1 to 10 in the order of `CRITERIA`."""
    accuracy, helpfulness, completeness = _MAIN[seen.main]
    right, wrong = min(seen.extra_right, 2), min(seen.extra_wrong, 2)
    plain = (accuracy - 2 * wrong, helpfulness - wrong, completeness + right, _FLUENT, _CREATIVE, _ETHICAL)
    draw = drawer("score noise", key)
    noisy = [score + draw.gauss(0, noise) + (_FAVOUR if favoured else 0) for score in plain]
    return [max(1, min(10, round(score))) for score in noisy]


def _weights(key: str) -> list[float]:
    """Weights with two decimals that sum to 1, the same for every answer to a question."""
    accuracy, helpfulness, *others = _WEIGHTS
    shift = round(unit_interval("weights", key) * 10)
    return [hundredth / 100 for hundredth in (accuracy - shift, helpfulness + shift, *others)]


def _reference(sheet: Sheet) -> str:
    asked = sheet.truth.asked
    if asked.relation == BETTER_IMAGE:
        return CHOICES[asked.value]
    return claim_text(asked, sheet.language, 0)


def _break_form(form: Mapping[str, Any], draw: float) -> str:
    """A reply that no parser may accept: a third each is cut off, has a wrong number of answers, or is prose."""
    if draw < 1 / 3:
        text = json.dumps(form, ensure_ascii=False)
        return text[: int(len(text) * (0.3 + draw))]
    answers = form["answers"]
    if draw < 2 / 3:
        counted = answers[:-1] if len(answers) > 1 else [*answers, {**answers[0], "index": 2}]
        return json.dumps({**form, "answers": counted}, ensure_ascii=False)
    best = max(answers, key=lambda answer: answer["overall"])
    return f"{form['reference']} Answer {best['index']} is the best one: {best['analysis']['accuracy']}"
