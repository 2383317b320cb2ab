"""What vLLM is given of a chat: its text by the model's template, decoded images, and a name for each image."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from dt2it_ray.data.chat import Message
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.images import BadImage, decode
from dt2it_ray.data.schema import DropReason


@dataclass(frozen=True)
class ReadyPrompt:
    """A prompt with nothing left to refuse but its length. Equal images have equal names, in whatever request."""

    text: str
    images: tuple[Image, ...] = ()
    names: tuple[str, ...] = field(default=())

    def for_engine(self) -> dict[str, Any]:
        """The prompt in vLLM's words."""
        if not self.images:
            return {"prompt": self.text}
        return {
            "prompt": self.text,
            "multi_modal_data": {"image": list(self.images)},
            "multi_modal_uuids": {"image": list(self.names)},
        }


def ready_prompt(
    messages: Sequence[Message], images: Sequence[bytes], tokenizer: Any, special: Collection[str]
) -> ReadyPrompt | Dropped:
    """The prompt that the model is to continue with an assistant turn. A text that holds one of the `special` tokens
    is refused, as it could end its own turn or call for an image that is not there."""
    refused = _refused(messages, len(images), special)
    if refused is not None:
        return refused
    try:
        # vLLM's engine may die of an image that cannot be read.
        pictures = tuple(decode(content) for content in images)
    except BadImage as error:
        return Dropped(DropReason.IMAGE_UNDECODABLE, str(error))
    turns = [_plain(message) for message in messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return ReadyPrompt(text, pictures, tuple(content_id("image", content) for content in images))


def _refused(messages: Sequence[Message], num_images: int, special: Collection[str]) -> Dropped | None:
    parts = [part for message in messages for part in _parts(message)]
    places = sum(part["type"] == "image" for part in parts)
    if places != num_images:
        return Dropped(DropReason.IMAGE_MISSING, f"{places} image places in the messages, {num_images} images given")
    for part in parts:
        text = part.get("text", "")
        found = next((token for token in special if token in text), None)
        if found is not None:
            return Dropped(DropReason.FIELD_INVALID, f"the text holds the special token {found}", text)
    return None


def _plain(message: Message) -> Message:
    """A message without images as one string: templates of text models know no parts."""
    parts = _parts(message)
    if any(part["type"] != "text" for part in parts):
        return message
    return {**message, "content": "".join(part["text"] for part in parts)}


def _parts(message: Message) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
