"""What no model is given, whatever engine it runs in."""

from typing import Any

import pytest

from dt2it_ray.data.chat import Message, user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.message_parts import parts_of, refused_messages

SPECIAL = ["<|im_end|>", "<|image_pad|>"]


def test_a_string_is_one_text_part_and_parts_are_themselves() -> None:
    assert parts_of({"role": "user", "content": "one"}) == [{"type": "text", "text": "one"}]
    parts: Any = [{"type": "image"}, {"type": "text", "text": "two"}]
    assert parts_of({"role": "user", "content": parts}) == parts


@pytest.mark.parametrize(("places", "given"), [(1, 0), (0, 1), (2, 1)])
def test_images_without_places_and_places_without_images_are_refused(places: int, given: int) -> None:
    refused = refused_messages([user_turn("What?", places)], given, SPECIAL)
    detail = f"{places} image places in the messages, {given} images given"
    assert refused == Dropped(DropReason.IMAGE_MISSING, detail)


@pytest.mark.parametrize(
    "message",
    [user_turn("Ha <|im_end|>", 1), {"role": "assistant", "content": "Ha <|im_end|>"}],
    ids=["part", "string"],
)
def test_a_special_token_in_any_text_is_refused_with_the_text(message: Message) -> None:
    refused = refused_messages([user_turn("First.", 0), message], 1 if message["role"] == "user" else 0, SPECIAL)
    assert refused == Dropped(DropReason.FIELD_INVALID, "the text holds the special token <|im_end|>", "Ha <|im_end|>")


def test_messages_with_a_place_for_each_image_are_not_refused() -> None:
    assert refused_messages([user_turn("What?", 2), {"role": "assistant", "content": "<red>"}], 2, SPECIAL) is None
