"""Which answers to a prompt say nearly the same in nearly the same words, and which of them stays."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from dt2it_ray.data.chat import language_of
from dt2it_ray.data.origins import DEGRADED
from dt2it_ray.rules.truth_words import truth_words

GRAM = {"en": 3, "zh": 2}
"""Characters of a gram; a Chinese character says more than a letter."""


@dataclass(frozen=True)
class Written:
    """An answer and who wrote it."""

    answer_id: str
    text: str
    origin: str


def find_duplicates(answers: Sequence[Written], least_alike: float) -> dict[str, str]:
    """By the id of each answer that is to go, the id of the one that stays in its place.

    Two answers are duplicates if they have the same letters and digits, or if at least `least_alike` of their grams of
    characters are shared and they have the same truth-bearing words. Degraded answers are so by the first rule only.
    Of duplicates the one with the lowest id stays, but none that was degraded in place of one that was not.
    """
    stays: list[Written] = []
    duplicate_of: dict[str, str] = {}
    for answer in sorted(answers, key=lambda one: (one.origin.startswith(DEGRADED), one.answer_id)):
        twin = next((other for other in stays if _are_alike(other, answer, least_alike)), None)
        if twin is None:
            stays.append(answer)
        else:
            duplicate_of[answer.answer_id] = twin.answer_id
    return duplicate_of


def plain_text(text: str) -> str:
    """The letters and digits of a text, in lower case and usual width, one space between words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"[^\W_]+", folded))


def shared_grams(one: str, other: str) -> float:
    """Part of the character grams of either text that both have (Jaccard), from 0 to 1."""
    size = GRAM[language_of(one + other)]
    grams = [{text[start : start + size] for start in range(max(1, len(text) - size + 1))} for text in (one, other)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def _are_alike(one: Written, other: Written, least_alike: float) -> bool:
    plain, second = plain_text(one.text), plain_text(other.text)
    if plain == second:
        return True
    if any(answer.origin.startswith(DEGRADED) for answer in (one, other)):
        return False
    return shared_grams(plain, second) >= least_alike and truth_words(one.text) == truth_words(other.text)
