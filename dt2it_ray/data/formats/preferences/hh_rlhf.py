"""HH-RLHF's rows: two chats of texts, each as one string in which `Human:` and `Assistant:` start paragraphs."""

import re
from collections.abc import Sequence

from dt2it_ray.data.formats.fields import checked_text
from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row, Turn
from dt2it_ray.data.formats.preferences.asked import asked_in, preference
from dt2it_ray.data.formats.preferences.chat_pairs import asked_before
from dt2it_ray.data.formats.preferences.values import refuse, value_of

_SPEAKER = re.compile(r"\n\n(Human|Assistant): ?")
_ROLES = {"Human": "user", "Assistant": "assistant"}
_NAMES = {role: name for name, role in _ROLES.items()}


def parse(row: Row) -> list[Preference]:
    """The pair of a row."""
    chats = {name: _messages(value_of(row, name), name) for name in ("chosen", "rejected")}
    before, chosen, rejected = asked_before(chats, "chosen", "rejected", marked=False)
    return [preference(asked_in(before, [], "chosen"), chosen, rejected)]


def _messages(value: object, field: str) -> list[dict[str, str]]:
    start, *spoken = _SPEAKER.split(checked_text(value, field))
    if start or not spoken:
        raise refuse(field, "does not start with an empty line and Human:")
    return [{"role": _ROLES[name], "content": text} for name, text in zip(spoken[::2], spoken[1::2], strict=True)]


def release(preferred: Preference, images: Sequence[str]) -> dict[str, str] | None:
    """Both chats as strings. None with images or a system prompt, or where a text would not be read back as it is."""
    turns = [*preferred.history, Turn("user", preferred.question)]
    if images or preferred.images or any(turn.role not in _NAMES for turn in turns):
        return None
    row = {
        name: "".join(_spoken(turn) for turn in [*turns, Turn("assistant", text)])
        for name, text in (("chosen", preferred.chosen), ("rejected", preferred.rejected))
    }
    texts = [turn.text for turn in turns]
    kept = [[each["content"] for each in _messages(text, name)] for name, text in row.items()]
    return row if kept == [[*texts, preferred.chosen], [*texts, preferred.rejected]] else None


def _spoken(turn: Turn) -> str:
    return f"\n\n{_NAMES[turn.role]}: {turn.text}"


HH_RLHF = PreferenceFormat("hh_rlhf", parse, release)
