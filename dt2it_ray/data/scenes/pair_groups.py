"""Several pairs on one prompt, as MM-RLHF-RewardBench has them: Acc+ counts a prompt if all its pairs are right."""

from dataclasses import dataclass

from dt2it_ray.data.scenes.claims import FAMILIES
from dt2it_ray.data.scenes.pair_plans import Dress, plan_marred, plan_true, plan_wrong, write_plans
from dt2it_ray.data.scenes.prompts import Asked
from dt2it_ray.data.scenes.scene import drawer

MCQ, LONG, SHORT, SAFETY = "mcq", "long", "short", "safety"
CATEGORIES = (MCQ, LONG, SHORT, SAFETY)
STYLES = {
    MCQ: ("terse",),
    LONG: ("verbose", "markdown"),
    SHORT: ("hedged",),
    SAFETY: ("hedged", "verbose", "markdown"),
}
"""Styles of all answers of a category, right or wrong."""
FOUR_WRONG_VALUES = ("colour", "count", "position", "word")
"""Question families with at least four false values."""
SIZES = (2, 3, 4, 3)
"""Pairs of a group, by turns."""
RIGHT, MARRED, WRONG, OTHER_WRONG = range(4)
_PAIRS = ((RIGHT, WRONG), (MARRED, WRONG), (RIGHT, MARRED), (RIGHT, OTHER_WRONG))
"""The better and the worse answer of each pair of a group; one answer is better here and worse there."""


@dataclass(frozen=True)
class Place:
    """Where a row stands: which group it belongs to and which of the group's pairs it is."""

    group: int
    pair: int

    @property
    def category(self) -> str:
        """The group's category; categories and sizes meet in all combinations."""
        return CATEGORIES[(self.group + self.group // len(SIZES)) % len(CATEGORIES)]


def place_of(number: int) -> Place:
    """The place of the row with this number: groups of `SIZES` rows follow each other."""
    rounds, left = divmod(number, sum(SIZES))
    group = rounds * len(SIZES)
    for size in SIZES:
        if left < size:
            break
        group, left = group + 1, left - size
    return Place(group, left)


def families_of(category: str) -> tuple[str, ...]:
    """What the questions of a category may ask."""
    return FOUR_WRONG_VALUES if category == MCQ else FAMILIES


def write_group_pair(asked: Asked, place: Place) -> tuple[str, str]:
    """The better and the worse answer of a pair. An answer reads the same in all pairs of its group."""
    draw, category, values = drawer("group", asked.seed), place.category, asked.question.false_values
    values = draw.sample(values, len(values))
    if category == MCQ:
        dress = Dress(STYLES[MCQ][0], 0)
        plans = [plan_true(asked, dress), *(plan_wrong(value, dress) for value in values[: len(_PAIRS)])]
        better, worse = 0, place.pair + 1
    else:
        dresses = [Dress(draw.choice(STYLES[category]), 1) for _ in range(4)]
        plans = [
            plan_true(asked, dresses[RIGHT]),
            plan_marred(asked, dresses[MARRED]),
            plan_wrong(values[0], dresses[WRONG]),
            plan_wrong(values[1 % len(values)], dresses[OTHER_WRONG]),
        ]
        better, worse = _PAIRS[place.pair]
    texts = write_plans(asked, plans)
    return texts[better], texts[worse]
