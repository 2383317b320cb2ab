"""How a prompt and its answers become preferences, whatever the format: the checks that every row must pass."""

import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from dt2it_ray.data.formats.fields import RowRefused, checked_text
from dt2it_ray.data.formats.media_marks import MARK
from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences.chats import Chat
from dt2it_ray.data.formats.preferences.marks import take_marks
from dt2it_ray.data.formats.preferences.values import Image, refuse
from dt2it_ray.data.schema import DropReason


class Told(NamedTuple):
    """What a row tells beside the prompt and the answers; see `Preference`."""

    item: str | None = None
    category: str | None = None
    reference: str | None = None
    source: str | None = None


NOTHING_TOLD = Told()


class Asked(NamedTuple):
    """A prompt, with what its row tells about it."""

    question: str
    images: Sequence[Mapping[str, Any]] = ()
    history: Sequence[Turn] = ()
    told: Told = NOTHING_TOLD


class Answer(NamedTuple):
    """An answer with the field that it stands in, its score (higher is better), who wrote it, and what somebody wrote
    of it."""

    text: Any
    field: str
    score: float = 0.0
    origin: str | None = None
    critique: str | None = None


def asked_about(question: Any, images: Sequence[Image], field: str = "question", told: Told = NOTHING_TOLD) -> Asked:
    """The prompt of one question about images. It may show them as marks: then all of them."""
    text, marks = take_marks(checked_text(question, field), field)
    if marks not in (0, len(images)):
        raise refuse(field, f"{marks} {MARK} for {len(images)} images")
    return Asked(checked_text(text, field), images, told=told)


def asked_in(chat: Chat, images: Sequence[Image], field: str, told: Told = NOTHING_TOLD) -> Asked:
    """The prompt of a chat that ends with a user's question; its turns show exactly the images that there are."""
    shown = sum(turn.images for turn in chat.turns)
    if chat.images and images and list(images) != chat.images:
        raise refuse(field, f"{len(chat.images)} images in its parts and {len(images)} other images in the row")
    there = chat.images or images
    if shown != len(there):
        raise refuse(field, f"{shown} {MARK} for {len(there)} images")
    if not chat.turns or chat.turns[-1].role != "user":
        last = chat.turns[-1].role if chat.turns else "nobody"
        raise refuse(field, f"the turn before the answers is of {last}, not of the user")
    return Asked(chat.turns[-1].text, there, tuple(chat.turns[:-1]), told)


def preference(asked: Asked, chosen: Answer, rejected: Answer, strength: float | None = None) -> Preference:
    """The preference of a row that says which of two answers is better. Refuses a row whose answers are equal."""
    better, worse = checked_text(chosen.text, chosen.field), checked_text(rejected.text, rejected.field)
    if better == worse:
        where = f"{chosen.field} and {rejected.field}"
        raise RowRefused(DropReason.ANSWERS_EQUAL, where, "the two answers are the same text")
    return Preference(
        question=asked.question,
        chosen=better,
        rejected=worse,
        images=tuple(asked.images),
        history=tuple(asked.history),
        strength=strength,
        reference=asked.told.reference,
        category=asked.told.category,
        item=asked.told.item,
        chosen_origin=chosen.origin,
        rejected_origin=rejected.origin,
        source=asked.told.source,
        chosen_critique=chosen.critique,
        rejected_critique=rejected.critique,
    )


def ranked(asked: Asked, answers: Sequence[Answer]) -> list[Preference]:
    """A preference for every two answers with different scores, in the row's order; `strength` is the gap.

    Answers with equal scores or equal texts make no pair. Refuses a row of fewer than two answers.
    """
    if len(answers) < 2:
        raise RowRefused(DropReason.TOO_FEW_ANSWERS, "answers", f"{len(answers)} of the row's answers can be compared")
    found = []
    for one, other in itertools.combinations(answers, 2):
        gap = _gap(one.score, other.score)
        if gap and checked_text(one.text, one.field) != checked_text(other.text, other.field):
            better, worse = (one, other) if gap > 0 else (other, one)
            found.append(preference(asked, better, worse, abs(gap)))
    return found


def _gap(one: float, other: float) -> float:
    """The difference as the decimals say: 0.3 and 0.1 are 0.2 apart."""
    return float(Decimal(repr(one)) - Decimal(repr(other)))
