"""How chats of any spelling become turns: `from` and `value` or `role` and `content`, texts or lists of parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dt2it_ray.data.formats.fields import checked_text
from dt2it_ray.data.formats.preference import Turn
from dt2it_ray.data.formats.preferences.marks import take_marks
from dt2it_ray.data.formats.preferences.values import Image, images_of, list_of, mapping_of, refuse

ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
"""Our role by that of the row. Tool calls and their results have no place in a preference between two answers."""

_IMAGE_KEYS = ("image", "image_url", "url", "value", "path")


@dataclass
class Chat:
    """Turns, and the images that stand in their parts themselves rather than in a column of the row."""

    turns: list[Turn] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)


def chat_of(messages: Any, where: str, marked: bool) -> Chat:
    """The chat of a list of messages, whose texts may show images as marks if `marked`.

    Refuses a row with an unknown role, an empty text, or images that are not shown by a user.
    """
    chat = Chat()
    for place, message in enumerate(list_of(messages, where)):
        turn = _plain_turn(message, marked)
        if turn is None:
            spot = f"{where}[{place}]"
            turn = _turn(mapping_of(message, spot), spot, marked, chat.images)
        chat.turns.append(turn)
        if turn.images and turn.role != "user":
            raise refuse(f"{where}[{place}]", f"the {turn.role} shows an image; only users can")
        if place and turn.role == "system":
            raise refuse(f"{where}[{place}]", "a system prompt behind other turns")
    return chat


def shown_first(chat: Chat, images: Sequence[Image]) -> Chat:
    """The chat with the images in its first user turn, if no turn has a place for any."""
    place = next((place for place, turn in enumerate(chat.turns) if turn.role == "user"), None)
    if place is None or any(turn.images for turn in chat.turns):
        return chat
    first = Turn("user", chat.turns[place].text, len(images))
    return Chat([*chat.turns[:place], first, *chat.turns[place + 1 :]], chat.images)


def behind_system(chat: Chat, system: str | None) -> Chat:
    """The chat behind a system prompt that stands beside it in the row, if there is any. One that the chat has itself
    counts first, as in LLaMA-Factory and ms-swift."""
    if system is None or (chat.turns and chat.turns[0].role == "system"):
        return chat
    return Chat([Turn("system", system), *chat.turns], chat.images)


def _plain_turn(message: Any, marked: bool) -> Turn | None:
    """The turn of a message of one plain text with nothing to refuse, as most are; None for any other, to save the time
    that names of places take."""
    if type(message) is not dict:
        return None
    role_key, text_key = ("from", "value") if "from" in message else ("role", "content")
    role, text = message.get(role_key), message.get(text_key)
    if type(role) is not str or type(text) is not str or role not in ROLES or (marked and "<" in text):
        return None
    return Turn(ROLES[role], text) if text.isascii() and text and not text.isspace() else None


def _turn(message: Mapping[str, Any], spot: str, marked: bool, found: list[Image]) -> Turn:
    role_key, text_key = ("from", "value") if "from" in message else ("role", "content")
    role = message.get(role_key)
    if not isinstance(role, str) or role not in ROLES:
        raise refuse(f"{spot}.{role_key}", f"{ascii(role)[:60]} is none of {', '.join(ROLES)}")
    content = message.get(text_key)
    text, images = _parts(content, f"{spot}.{text_key}", found) if isinstance(content, list) else (content, 0)
    if marked and isinstance(text, str) and not isinstance(content, list):
        text, images = take_marks(text, f"{spot}.{text_key}")
    return Turn(ROLES[role], checked_text(text, f"{spot}.{text_key}"), images)


def _parts(parts: Sequence[Any], where: str, found: list[Image]) -> tuple[str, int]:
    """The joined texts of a turn's parts, and how many images it shows."""
    texts, images = [], 0
    for place, each in enumerate(parts):
        part, spot = mapping_of(each, f"{where}[{place}]"), f"{where}[{place}]"
        kind = part.get("type")
        if kind == "text":
            texts.append(_text_in(part, spot))
        elif kind in ("image", "image_url"):
            images += 1
            found.extend(_image_in(part, spot))
        else:
            raise refuse(f"{spot}.type", f"{ascii(kind)[:60]} is neither text nor image")
    return "".join(texts), images


def _text_in(part: Mapping[str, Any], spot: str) -> str:
    text = part.get("text") if part.get("text") is not None else part.get("value")
    if not isinstance(text, str):
        raise refuse(spot, f"{ascii(text)[:60]} is not a text")
    return text


def _image_in(part: Mapping[str, Any], spot: str) -> list[Image]:
    """The image that a part holds or names itself; none if it only says where an image of the row stands."""
    value = next((part[key] for key in _IMAGE_KEYS if part.get(key) is not None), None)
    if isinstance(value, Mapping) and "url" in value:
        value = value["url"]
    return [] if value is None else images_of(value, spot)
