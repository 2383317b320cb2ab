"""How a simulated rater replies: it sees the planted truth, errs as often as told, and rates five attributes."""

import json
from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.attributes import ATTRIBUTES, MAX_RATING, MIN_RATING, QUALITY
from dt2it_ray.data.ids import content_id, unit_interval
from dt2it_ray.data.scenes.annotator import AnnotatorSettings, Sheet
from dt2it_ray.data.scenes.perception import Perceived, perceive
from dt2it_ray.data.scenes.scene import drawer

_MAIN = {"right": (4, 4, 4), "wrong": (1, 1, 3), "missing": (0, 1, 2)}
"""Helpfulness, correctness and coherence by what the main claim is."""
_FAVOUR = 2
"""Points that a rater biased to the first position adds to its helpfulness, correctness and coherence."""
_POINTS = MAX_RATING / 10
"""A point of the rubric, which has 10, in points of a rating."""
_VERBOSE = (12, 40, 80, 140)
"""Characters from which verbosity is 1, 2, 3 and 4: chosen for the answers of the embedded world."""
_HAN_CHARACTERS = 3
"""A Han character counts as so many, about as much as it says."""
_NOTE = {
    "en": "Main claim {main}; {right} further claims hold and {wrong} do not.",
    "zh": "主要说法：{main}；另有{right}处说法属实，{wrong}处不属实。",
}


def rate(settings: AnnotatorSettings, judge: str, sheet: Sheet, attempt: int) -> str:
    """The reply of the simulated rater named `judge`: the rating form as JSON, sometimes fenced, sometimes malformed.

    A function of the arguments alone, with errors as in `annotate` but drawn on their own. `score_noise` is in points
    of the rubric's ten, so that 0.5 is 0.2 points of a rating.
    """
    key = content_id("rater", settings.seed, judge, sheet.truth.to_json(), sheet.question)
    form = {"answers": _rate_answers(settings, key, sheet)}
    shown = (key, attempt, *sheet.answers)
    if unit_interval("malformed", *shown) < settings.malformed:
        return _break_form(form["answers"], unit_interval("break", *shown))
    text = json.dumps(form, ensure_ascii=False)
    return f"```json\n{text}\n```" if unit_interval("fenced", *shown) < settings.fenced else text


def _rate_answers(settings: AnnotatorSettings, key: str, sheet: Sheet) -> list[dict[str, Any]]:
    favoured = len(sheet.answers) > 1 and unit_interval("favours", key, *sheet.answers) < settings.position_bias
    rated = []
    for place, text in enumerate(sheet.answers):
        grade = sheet.truth.grade(sheet.question, sheet.language, text)
        answer, view = content_id(key, text), f"{place + 1} of {len(sheet.answers)}"
        seen = perceive(grade, answer, view, settings.error_rate, settings.shared_errors)
        noise = drawer("rating noise", f"{answer} {view}")
        plain = _plain_ratings(seen, text, _FAVOUR if favoured and place == 0 else 0)
        noisy = [value + noise.gauss(0, settings.score_noise * _POINTS) for value in plain]
        values = [max(MIN_RATING, min(MAX_RATING, round(value))) for value in noisy]
        note = _NOTE[sheet.language].format(main=seen.main, right=seen.extra_right, wrong=seen.extra_wrong)
        ratings = dict(zip(ATTRIBUTES, values, strict=True))
        rated.append({"index": place + 1, "analysis": note, "ratings": ratings})
    return rated


def _plain_ratings(seen: Perceived, text: str, favour: int) -> list[int]:
    """What the rater would say without noise, in the order of `ATTRIBUTES`; helpfulness first."""
    wrong = min(seen.extra_wrong, 2)
    helpfulness, correctness, coherence = (value + favour for value in _MAIN[seen.main])
    claims = 1 + seen.extra_right + seen.extra_wrong
    length = sum(_HAN_CHARACTERS if ord(character) > 0x2E7F else 1 for character in text)
    verbosity = sum(length >= limit for limit in _VERBOSE)
    return [helpfulness - (wrong + 1) // 2, correctness - wrong, coherence, min(claims, 3), verbosity]


def _break_form(answers: Sequence[dict[str, Any]], draw: float) -> str:
    """A reply that no parser may accept: a third each is cut off, lacks an attribute, or is prose."""
    text = json.dumps({"answers": answers}, ensure_ascii=False)
    if draw < 1 / 3:
        return text[: int(len(text) * (0.3 + draw))]
    if draw < 2 / 3:
        first = {**answers[0], "ratings": {QUALITY[0]: answers[0]["ratings"][QUALITY[0]]}}
        return json.dumps({"answers": [first, *answers[1:]]}, ensure_ascii=False)
    best = max(answers, key=lambda answer: answer["ratings"][QUALITY[1]])
    return f"Answer {best['index']} is the best one. {best['analysis']}"
