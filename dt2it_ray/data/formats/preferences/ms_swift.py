"""ms-swift's rows for RLHF: `messages` that end with the chosen answer, and `rejected_response` or other messages."""

from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row, Turn
from dt2it_ray.data.formats.preferences.asked import Answer, asked_in, preference
from dt2it_ray.data.formats.preferences.chat_pairs import asked_before
from dt2it_ray.data.formats.preferences.chats import Chat, behind_system, chat_of
from dt2it_ray.data.formats.preferences.marks import hold_marks, put_marks
from dt2it_ray.data.formats.preferences.values import images_in, optional_number, optional_text, refuse, value_of


def parse(row: Row) -> list[Preference]:
    """The pair of a row, with `margin` as its strength."""
    for name in ("videos", "audios"):
        if row.get(name):
            raise refuse(name, "a reward model here can be shown images only")
    images = images_in(row, "images")
    if row.get("rejected_images") is not None and images_in(row, "rejected_images") != images:
        raise refuse("rejected_images", "the answers are to different images")
    if row.get("rejected_messages") is not None:
        before, chosen, rejected = asked_before(row, "messages", "rejected_messages", marked=True)
    else:
        chat = chat_of(value_of(row, "messages"), "messages", marked=True)
        if not chat.turns or chat.turns[-1].role != "assistant":
            raise refuse("messages", "do not end with an answer of the assistant")
        before, chosen = Chat(chat.turns[:-1], chat.images), Answer(chat.turns[-1].text, "messages")
        rejected = Answer(value_of(row, "rejected_response"), "rejected_response")
    before = behind_system(before, optional_text(row, "system"))
    return [preference(asked_in(before, images, "messages"), chosen, rejected, optional_number(row, "margin"))]


def release(preferred: Preference, images: Sequence[str]) -> dict[str, Any] | None:
    """A row of messages; None if a text holds a mark of a file, as that would count as one."""
    left = len(images) - sum(turn.images for turn in preferred.history)
    turns = [*preferred.history, Turn("user", preferred.question, left), Turn("assistant", preferred.chosen)]
    if hold_marks([preferred.rejected, *(turn.text for turn in turns)]):
        return None
    return {
        "messages": [{"role": turn.role, "content": put_marks(turn.text, turn.images)} for turn in turns],
        "rejected_response": preferred.rejected,
        "images": list(images),
        "margin": preferred.strength,
    }


MS_SWIFT = PreferenceFormat("ms_swift", parse, release)
