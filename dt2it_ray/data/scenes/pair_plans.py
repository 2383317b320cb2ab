"""How answers that differ in quality are planned: what they claim and how they are dressed are set apart."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dt2it_ray.data.scenes.answers import STYLES, pick_extras, write_answer
from dt2it_ray.data.scenes.prompts import Asked

ROOM = {"terse": 0, "hedged": 1, "verbose": 2, "markdown": 2}
"""Most extra claims of an answer by its style."""


class Gap(StrEnum):
    """What makes the better answer of a pair better."""

    MAIN = "main"
    """Its main claim is right, the other's is wrong. Extra claims are true."""
    EXTRA = "extra"
    """Both main claims are right; the other makes one false extra claim, this one none."""
    MARRED = "marred"
    """Its main claim is right, but it makes one false extra claim; the other's main claim is wrong."""


@dataclass(frozen=True)
class Dress:
    """How an answer looks: its style and how many extra claims it makes, at most `ROOM` for the style."""

    style: str
    extras: int


@dataclass(frozen=True)
class Plan:
    """What an answer says: its value, the truth of each extra claim, and its style."""

    value: str
    extras: tuple[bool, ...]
    style: str


def draw_dress(draw: random.Random, styles: Sequence[str] = STYLES) -> Dress:
    """Any of the styles with as many extra claims as fit, or fewer."""
    style = draw.choice(styles)
    return Dress(style, draw.randint(0, ROOM[style]))


def even_dresses(gap: Gap, draw: random.Random) -> tuple[Dress, Dress]:
    """Dresses of the better and the worse answer that tell nothing of which is which."""
    if gap is Gap.MAIN:
        return draw_dress(draw), draw_dress(draw)
    # A false extra claim is made by one of the answers: both make as many.
    styles = [style for style in STYLES if ROOM[style]]
    better, worse = draw.choice(styles), draw.choice(styles)
    extras = draw.randint(1, min(ROOM[better], ROOM[worse]))
    return Dress(better, extras), Dress(worse, extras)


def plan_pair(asked: Asked, gap: Gap, dresses: tuple[Dress, Dress], draw: random.Random) -> tuple[Plan, Plan]:
    """The better and the worse answer. The dress of the one that makes a false extra claim has room for it."""
    better, worse = dresses
    if gap is Gap.EXTRA:
        return plan_true(asked, better), plan_marred(asked, worse)
    wrong = plan_wrong(draw.choice(asked.question.false_values), worse)
    return plan_marred(asked, better) if gap is Gap.MARRED else plan_true(asked, better), wrong


def plan_true(asked: Asked, dress: Dress) -> Plan:
    """An answer that is right in all."""
    return Plan(asked.question.value, (True,) * dress.extras, dress.style)


def plan_wrong(value: str, dress: Dress) -> Plan:
    """An answer whose main claim is the false `value` and whose extra claims are true."""
    return Plan(value, (True,) * dress.extras, dress.style)


def plan_marred(asked: Asked, dress: Dress) -> Plan:
    """An answer whose main claim is right and whose first extra claim is false."""
    return Plan(asked.question.value, (False, *(True,) * (dress.extras - 1)), dress.style)


def write_plans(asked: Asked, plans: Sequence[Plan]) -> list[str]:
    """The texts of the plans, all different. A text that is already there is written in the next style instead."""
    texts: list[str] = []
    for place, plan in enumerate(plans):
        first = STYLES.index(plan.style)
        styles = (STYLES[(first + step) % len(STYLES)] for step in range(len(STYLES)))
        written = (_write(asked, plan, style, place) for style in styles)
        texts.append(next(text for text in written if text not in texts))
    return texts


def _write(asked: Asked, plan: Plan, style: str, place: int) -> str:
    """The text in a style. All answers to a prompt speak of the same further matters, truly or not."""
    question = asked.question
    extras = pick_extras(asked.scene, question, plan.extras, asked.seed)
    return write_answer(asked.scene, question, plan.value, style, question.language, extras, f"{asked.seed} {place}")
