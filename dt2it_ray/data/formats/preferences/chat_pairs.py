"""Two whole chats that share all but the last turn: Skywork-Reward-Preference, the Tulu 3 mixture, and others alike."""

from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row, Turn
from dt2it_ray.data.formats.preferences.asked import Answer, Told, asked_in, preference
from dt2it_ray.data.formats.preferences.chats import Chat, chat_of
from dt2it_ray.data.formats.preferences.values import optional_text, refuse, value_of


def parse(row: Row) -> list[Preference]:
    """The pair of a row of two chats of texts."""
    before, chosen, rejected = asked_before(row, "chosen", "rejected", marked=False)
    told = Told(item=optional_text(row, "id"), source=optional_text(row, "source"))
    return [preference(asked_in(before, before.images, "chosen", told), chosen, rejected)]


def asked_before(row: Row, better: str, worse: str, marked: bool) -> tuple[Chat, Answer, Answer]:
    """The turns that two chats share, and the answers in which they end."""
    chosen, rejected = (chat_of(value_of(row, field), field, marked) for field in (better, worse))
    if chosen.turns[:-1] != rejected.turns[:-1] or chosen.images != rejected.images:
        raise refuse(worse, f"its turns before the last one are not those of {better}")
    answers = []
    for chat, field in ((chosen, better), (rejected, worse)):
        if not chat.turns or chat.turns[-1].role != "assistant":
            raise refuse(field, "does not end with an answer of the assistant")
        answers.append(Answer(chat.turns[-1].text, field))
    return Chat(chosen.turns[:-1], chosen.images), *answers


def release(preferred: Preference, images: Sequence[str]) -> dict[str, Any] | None:
    """Both chats; None for a prompt with images, for which the format has no place."""
    if images or preferred.images:
        return None
    turns = [*preferred.history, Turn("user", preferred.question)]
    shared = [{"role": turn.role, "content": turn.text} for turn in turns]
    named = {"id": preferred.item, "source": preferred.source}
    return {
        "chosen": [*shared, {"role": "assistant", "content": preferred.chosen}],
        "rejected": [*shared, {"role": "assistant", "content": preferred.rejected}],
        **{name: value for name, value in named.items() if value is not None},
    }


SKYWORK = PreferenceFormat("skywork", parse, release)
TULU = PreferenceFormat("tulu", parse, release)
