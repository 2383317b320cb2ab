"""Chats about an image with a better and a worse end: POVID, IXC-2.5-Reward, vision-feedback-mix and MMSafe-PO."""

import ast
import json
import re
from typing import Any

from dt2it_ray.data.formats.fields import checked_text
from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row
from dt2it_ray.data.formats.preferences.asked import Answer, Told, asked_in, preference
from dt2it_ray.data.formats.preferences.chat_pairs import asked_before
from dt2it_ray.data.formats.preferences.chats import chat_of, shown_first
from dt2it_ray.data.formats.preferences.values import images_in, list_of, mapping_of, optional_text, refuse, value_of

_SPEAKER = re.compile(r"(?:\A|(?<=\s))(USER|ASSISTANT):")
_ROLES = {"USER": "user", "ASSISTANT": "assistant"}


def parse_povid(row: Row) -> list[Preference]:
    """The pair of a row of two LLaVA chats."""
    before, chosen, rejected = asked_before(row, "conversations", "rejected_conversations", marked=True)
    asked = asked_in(before, images_in(row, "image"), "conversations", Told(optional_text(row, "id")))
    return [preference(asked, chosen, rejected)]


def parse_ixc_reward(row: Row) -> list[Preference]:
    """The pair of a row of two chats, of which `conversations_a` ends better; `model_a` and `model_b` wrote them."""
    before, chosen, rejected = asked_before(row, "conversations_a", "conversations_b", marked=True)
    images = images_in(row, "image")
    asked = asked_in(shown_first(before, images), images, "conversations_a")
    better, worse = (
        Answer(answer.text, answer.field, origin=optional_text(row, model))
        for answer, model in ((chosen, "model_a"), (rejected, "model_b"))
    )
    return [preference(asked, better, worse)]


def parse_vision_feedback_mix(row: Row) -> list[Preference]:
    """The pair of a row, whose chat is a list printed as a text; its last turn holds the good and the bad answer."""
    *before, last = list_of(_literal(value_of(row, "conversations")), "conversations") or [None]
    field = "conversations[-1].preference_values"
    values = list_of(mapping_of(last, "conversations[-1]").get("preference_values"), field)
    if len(values) != 2:
        raise refuse(field, f"{len(values)} answers, not a good and a bad one")
    told = Told(optional_text(row, "id"), source=optional_text(row, "origin_pre_dataset"))
    images = images_in(row, "image", "image_path")
    asked = asked_in(shown_first(chat_of(before, "conversations", marked=True), images), images, "conversations", told)
    return [preference(asked, Answer(values[0], f"{field}[0]"), Answer(values[1], f"{field}[1]"))]


def _literal(value: Any) -> Any:
    """The list that a text spells, as JSON or as Python prints it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise refuse("conversations", f"{ascii(value)[:60]} is no list, neither as JSON nor as Python") from None


def parse_mmsafe_po(row: Row) -> list[Preference]:
    """The pair of a row, whose prompt marks its turns with `USER:` and `ASSISTANT:`, the last one of them empty."""
    start, *spoken = _SPEAKER.split(checked_text(value_of(row, "prompt"), "prompt"))
    if start.strip() or not spoken:
        raise refuse("prompt", "does not start with USER:")
    if spoken[-2] == "ASSISTANT" and not spoken[-1].strip():
        spoken = spoken[:-2]
    messages = [
        {"role": _ROLES[name], "content": text.strip()} for name, text in zip(spoken[::2], spoken[1::2], strict=True)
    ]
    told = Told(category=optional_text(row, "type"))
    asked = asked_in(chat_of(messages, "prompt", marked=True), images_in(row, "image"), "prompt", told)
    return [preference(asked, _spoken(row, "chosen"), _spoken(row, "rejected"))]


def _spoken(row: Row, field: str) -> Answer:
    return Answer(checked_text(value_of(row, field), field).strip().removeprefix("ASSISTANT:").strip(), field)


POVID = PreferenceFormat("povid", parse_povid)
IXC_REWARD = PreferenceFormat("ixc_reward", parse_ixc_reward)
VISION_FEEDBACK_MIX = PreferenceFormat("vision_feedback_mix", parse_vision_feedback_mix)
MMSAFE_PO = PreferenceFormat("mmsafe_po", parse_mmsafe_po)
