"""TRL's preference rows: chats or plain texts, with a prompt of their own or one that both answers start with."""

from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row, Turn
from dt2it_ray.data.formats.preferences.asked import Answer, Asked, asked_about, asked_in, preference
from dt2it_ray.data.formats.preferences.chat_pairs import asked_before
from dt2it_ray.data.formats.preferences.chats import chat_of, shown_first
from dt2it_ray.data.formats.preferences.values import Image, images_in, optional_number, refuse, value_of

ANSWERS = ("chosen", "rejected")


def parse(row: Row) -> list[Preference]:
    """The pair of a row, with `margin` as its strength. Images that no turn has a place for are shown by the first user
    turn, where TRL puts them too."""
    images = images_in(row, "images", "image")
    texts = [value_of(row, name) for name in ANSWERS]
    margin = optional_number(row, "margin")
    if row.get("prompt") is None:
        asked, answers = _without_prompt(row, texts, images)
    else:
        prompt = row["prompt"]
        asked = asked_about(prompt, images, "prompt") if isinstance(prompt, str) else _asked(prompt, images)
        answers = [_answer(text, name) for text, name in zip(texts, ANSWERS, strict=True)]
    return [preference(asked, answers[0], answers[1], margin)]


def _asked(prompt: Any, images: Sequence[Image]) -> Asked:
    return asked_in(shown_first(chat_of(prompt, "prompt", marked=False), images), images, "prompt")


def _answer(value: Any, field: str) -> Answer:
    if isinstance(value, str):
        return Answer(value, field)
    turns = chat_of(value, field, marked=False).turns
    if len(turns) != 1 or turns[0].role != "assistant" or turns[0].images:
        raise refuse(field, f"{len(turns)} turns, not one of the assistant alone")
    return Answer(turns[0].text, field)


def _without_prompt(row: Row, texts: list[Any], images: Sequence[Image]) -> tuple[Asked, list[Answer]]:
    if isinstance(texts[0], str) and isinstance(texts[1], str):
        start = _shared_start(*texts)
        if not texts[0][:start].strip():
            raise refuse("prompt", "missing, and chosen and rejected do not start with the same text")
        answers = [Answer(text[start:], name) for text, name in zip(texts, ANSWERS, strict=True)]
        return asked_about(texts[0][:start], images, "prompt"), answers
    before, *answers = asked_before(row, *ANSWERS, marked=False)
    return asked_in(shown_first(before, images), images, "chosen"), answers


def _shared_start(one: str, other: str) -> int:
    """Where two texts start to differ; a space before that place belongs to the answers, as in TRL."""
    length = min(len(one), len(other))
    place = next((place for place in range(length) if one[place] != other[place]), length)
    return place - 1 if place and one[place - 1] == " " else place


def release(preferred: Preference, images: Sequence[str]) -> dict[str, Any]:
    """A conversational row whose contents are lists of parts, images before the text of their turn."""
    return {
        "prompt": release_prompt(preferred.question, preferred.history, images),
        "chosen": [release_turn(Turn("assistant", preferred.chosen))],
        "rejected": [release_turn(Turn("assistant", preferred.rejected))],
        "images": list(images),
        "margin": preferred.strength,
    }


def release_prompt(question: str, history: Sequence[Turn], images: Sequence[str]) -> list[dict[str, Any]]:
    """The messages of a prompt."""
    left = len(images) - sum(turn.images for turn in history)
    return [release_turn(turn) for turn in (*history, Turn("user", question, left))]


def release_turn(turn: Turn) -> dict[str, Any]:
    """A message whose images stand before its text."""
    shown = [{"type": "image"} for _ in range(turn.images)]
    return {"role": turn.role, "content": [*shown, {"type": "text", "text": turn.text}]}


TRL = PreferenceFormat("trl", parse, release)
