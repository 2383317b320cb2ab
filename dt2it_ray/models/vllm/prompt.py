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
from dt2it_ray.models.message_parts import parts_of, refused_messages


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
    """The prompt that the model is to continue with an assistant turn, or why it is refused: see `refused_messages`;
    an image that cannot be read is refused too."""
    refused = refused_messages(messages, len(images), special)
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


def _plain(message: Message) -> Message:
    """A message without images as one string: templates of text models know no parts."""
    parts = parts_of(message)
    if any(part["type"] != "text" for part in parts):
        return message
    return {**message, "content": "".join(part["text"] for part in parts)}
