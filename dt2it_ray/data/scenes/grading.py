"""How good an answer is, measured against the scene: what it claims is found in its text and checked."""

import re
from dataclasses import dataclass

from dt2it_ray.data.scenes.claims import Claim, holds
from dt2it_ray.data.scenes.questions import Question
from dt2it_ray.data.scenes.scene import Scene
from dt2it_ray.data.scenes.wording import bare_values, claims_in

SENTENCE = re.compile(r"[^.!?\n。！？]+[.!?\n。！？]?")
"""A sentence with the mark that ends it."""
BASE = {"right": 8.0, "wrong": 2.0, "missing": 1.0}
"""Quality of an answer without extra claims, by what its main claim is."""
_GAIN = {"right": 0.5, "wrong": 0.25, "missing": 0.25}
_COST = {"right": 2.0, "wrong": 0.75, "missing": 0.5}
MOST_EXTRAS = 2
"""Extra claims beyond these count no more, so that a right answer is always better than a wrong one."""


@dataclass(frozen=True)
class Grade:
    """What an answer is worth. `main` is right, wrong or missing; extra claims are counted; `quality` is 0 to 10."""

    main: str
    extra_right: int
    extra_wrong: int
    quality: float


def grade(scene: Scene, question: Question, answer: str) -> Grade:
    """The grade of any text as an answer to the question. A false extra claim costs more than a true one earns."""
    values, extras = read_answer(question, answer)
    if not values:
        main = "missing"
    else:
        main = "right" if all(holds(scene, question.claim(value)) for value in values) else "wrong"
    right = sum(holds(scene, claim) for claim in extras)
    wrong = len(extras) - right
    quality = BASE[main] + _GAIN[main] * min(right, MOST_EXTRAS) - _COST[main] * min(wrong, MOST_EXTRAS)
    return Grade(main, right, wrong, max(0.0, min(10.0, quality)))


def read_answer(question: Question, answer: str) -> tuple[list[str], list[Claim]]:
    """The values that the answer gives to the question (none, one, or contradicting ones) and its other claims."""
    claims = claims_in(answer)
    asked = (question.relation, question.subject)
    values = [claim.value for claim in claims if (claim.relation, claim.subject) == asked]
    extras = [claim for claim in claims if (claim.relation, claim.subject) != asked]
    if values:
        return list(dict.fromkeys(values)), extras
    for sentence in SENTENCE.findall(answer):
        named = [] if claims_in(sentence) else bare_values(sentence, question.relation)
        if named:
            return named, extras
    return [], extras
