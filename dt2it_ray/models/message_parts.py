"""The parts of chat messages, and which messages no model is given, whatever engine it runs in."""

from collections.abc import Collection, Sequence
from typing import Any

from dt2it_ray.data.chat import Message
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason


def refused_messages(messages: Sequence[Message], num_images: int, special: Collection[str]) -> Dropped | None:
    """Why the messages cannot be encoded, or None: they have not one place for each image, or a text holds one of the
    `special` tokens, which could end its own turn and write the next one, or call for an image that is not there."""
    parts = [part for message in messages for part in parts_of(message)]
    places = sum(part["type"] == "image" for part in parts)
    if places != num_images:
        return Dropped(DropReason.IMAGE_MISSING, f"{places} image places in the messages, {num_images} images given")
    for part in parts:
        text = part.get("text", "")
        found = next((token for token in special if token in text), None)
        if found is not None:
            return Dropped(DropReason.FIELD_INVALID, f"the text holds the special token {found}", text)
    return None


def plain_text(message: Message) -> Message:
    """The message with content of texts only as one string, which templates of text models expect."""
    content = message["content"]
    if isinstance(content, str) or any(part["type"] != "text" for part in content):
        return message
    return {**message, "content": "".join(part["text"] for part in content)}


def parts_of(message: Message) -> list[dict[str, Any]]:
    """The parts of a message; content that is one string is one text part."""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
