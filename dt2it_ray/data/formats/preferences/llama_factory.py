"""LLaMA-Factory's rows for reward modelling and DPO: sharegpt and alpaca ranking, and the messages of its version 1."""

from collections.abc import Mapping, Sequence
from typing import Any

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row, Turn
from dt2it_ray.data.formats.preferences.asked import Answer, asked_in, preference
from dt2it_ray.data.formats.preferences.chat_pairs import asked_before
from dt2it_ray.data.formats.preferences.chats import Chat, behind_system, chat_of
from dt2it_ray.data.formats.preferences.marks import hold_marks, put_marks, take_marks
from dt2it_ray.data.formats.preferences.values import (
    images_in,
    list_of,
    mapping_of,
    optional_number,
    optional_text,
    refuse,
    value_of,
)

_FROM = {"user": "human", "assistant": "gpt"}
_FILES = ("videos", "video", "audios", "audio")


def parse(row: Row) -> list[Preference]:
    """The pair of a row; its layout is told by its columns."""
    if "chosen_messages" in row:
        return [_version_1(row)]
    for name in _FILES:
        if row.get(name):
            raise refuse(name, "a reward model here can be shown images only")
    images = images_in(row, "images", "image")
    if "conversations" in row or "messages" in row:
        answers = [_answer(value_of(row, name), name) for name in ("chosen", "rejected")]
        asked = asked_in(sharegpt_chat(row), images, "conversations" if "conversations" in row else "messages")
    else:
        asked = asked_in(_alpaca_chat(row), images, "instruction")
        answers = [Answer(_unmarked(value_of(row, name), name), name) for name in ("chosen", "rejected")]
    return [preference(asked, answers[0], answers[1], optional_number(row, "margin"))]


def sharegpt_chat(row: Row) -> Chat:
    """The turns of a sharegpt row before its answers, the system prompt of a column of its own in front."""
    field = "conversations" if "conversations" in row else "messages"
    chat = chat_of(value_of(row, field), field, marked=True)
    return behind_system(chat, optional_text(row, "system"))


def _answer(value: Any, field: str) -> Answer:
    turn = chat_of([mapping_of(value, field)], field, marked=True).turns[0]
    if turn.role != "assistant":
        raise refuse(field, f"an answer of the {turn.role}")
    return Answer(turn.text, field)


def _unmarked(value: Any, field: str) -> Any:
    if isinstance(value, str) and take_marks(value, field)[1]:
        raise refuse(field, "the answer shows an image; only users can")
    return value


def _alpaca_chat(row: Row) -> Chat:
    """Instruction and input are one question, as LLaMA-Factory joins them; `history` holds pairs of earlier turns."""
    messages = []
    for place, pair in enumerate(list_of(row.get("history") or [], "history")):
        asked, answered = _two(pair, f"history[{place}]")
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    parts = [text for text in (optional_text(row, "instruction"), optional_text(row, "input")) if text is not None]
    if not parts:
        raise refuse("instruction", "missing; a row has conversations, chosen_messages, or instruction and input")
    chat = chat_of([*messages, {"role": "user", "content": "\n".join(parts)}], "instruction", marked=True)
    return behind_system(chat, optional_text(row, "system"))


def _two(pair: Any, field: str) -> Sequence[Any]:
    texts = list_of(pair, field)
    if len(texts) != 2:
        raise refuse(field, f"{len(texts)} texts, not a question and its answer")
    return texts


def _version_1(row: Row) -> Preference:
    before, chosen, rejected = asked_before(row, "chosen_messages", "rejected_messages", marked=False)
    asked = asked_in(before, [], "chosen_messages")
    return preference(asked, chosen, rejected, optional_number(row, "margin"))


def release(preferred: Preference, images: Sequence[str]) -> dict[str, Any] | None:
    """A sharegpt row. LLaMA-Factory passes `margin` over, demands turns of user and assistant by turns, and counts the
    marks of all texts: None for other turns, or if a text holds a mark."""
    asked = release_prompt(preferred.question, preferred.history, images)
    if asked is None or hold_marks([preferred.chosen, preferred.rejected]):
        return None
    return {
        "conversations": asked["conversations"],
        "chosen": {"from": "gpt", "value": preferred.chosen},
        "rejected": {"from": "gpt", "value": preferred.rejected},
        "images": asked["images"],
        "system": asked["system"],
        "margin": preferred.strength,
    }


def release_prompt(question: str, history: Sequence[Turn], images: Sequence[str]) -> dict[str, Any] | None:
    """The columns of a prompt without answers; None as for `release`."""
    before = list(history)
    system = before.pop(0).text if before and before[0].role == "system" else ""
    turns = [*before, Turn("user", question, len(images) - sum(turn.images for turn in before))]
    by_turns = all(turn.role == ("user", "assistant")[place % 2] for place, turn in enumerate(turns))
    if not by_turns or len(turns) % 2 == 0 or hold_marks([system, *(turn.text for turn in turns)]):
        return None
    return {"conversations": [_message(turn) for turn in turns], "images": list(images), "system": system}


def described(file_name: str, ranking: bool = True) -> dict[str, Any]:
    """The entry of `dataset_info.json` for a file of such rows, of pairs if `ranking` and else of whole chats."""
    entry: dict[str, Any] = {"file_name": file_name, "formatting": "sharegpt"}
    columns = {"messages": "conversations", "images": "images", "system": "system"}
    if not ranking:
        return {**entry, "columns": columns}
    return {**entry, "ranking": True, "columns": {**columns, "chosen": "chosen", "rejected": "rejected"}}


def _message(turn: Turn) -> Mapping[str, str]:
    return {"from": _FROM[turn.role], "value": put_marks(turn.text, turn.images)}


LLAMA_FACTORY = PreferenceFormat("llama_factory", parse, release)
