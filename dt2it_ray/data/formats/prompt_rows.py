"""How outside rows become prompts to construct pairs for: images and questions, or pairs that somebody labelled.

Shapes, told apart row by row, each with a pair or a question alone:
- flat rows: `question`, one of `images`, `image`, `image_path`, and if there are any `gt` (or `reference`);
- LLaMA-Factory's: `conversations` or `messages` that end with the question, with as many `<image>` as `images`;
- this package's own PROMPTS columns.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dt2it_ray.data import ids
from dt2it_ray.data.chat import REWARD_SYSTEM, language_of
from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.data.formats.fields import RowRefused, checked_text, text_of
from dt2it_ray.data.formats.preference_rows import history_of
from dt2it_ray.data.formats.preferences import flat, llama_factory
from dt2it_ray.data.formats.preferences.asked import Asked, Told, asked_in
from dt2it_ray.data.formats.preferences.chats import ROLES
from dt2it_ray.data.formats.preferences.values import images_in, refuse
from dt2it_ray.data.formats.read_batch import ReadBatch, Record, refused_row
from dt2it_ray.data.schema import PROMPTS, DropReason

PAIR_FIELDS = ("chosen", "rejected")
OWN = set(PROMPTS.names) - {"history"}
"""The columns by which a row of PROMPTS is known; it may lack a history."""


def read_prompts(source: str, records: Iterable[Record], batch_rows: int = 1024) -> Iterator[ReadBatch]:
    """Rows of PROMPTS in file order, of each prompt the first row; later ones are dropped as `prompt_repeated`.

    An image that is a path keeps null bytes. Rows do not depend on `batch_rows`.
    """
    seen: set[str] = set()
    left = iter(records)
    while chunk := list(itertools.islice(left, batch_rows)):
        rows, dropped = [], []
        for record in chunk:
            try:
                rows.append(_row(source, record, seen))
            except RowRefused as refusal:
                dropped.append(refused_row(record, refusal))
        yield ReadBatch(pa.Table.from_pylist(rows, schema=PROMPTS), dropped_table(dropped))


def _row(source: str, record: Record, seen: set[str]) -> dict[str, Any]:
    fields = record.fields
    if not isinstance(fields, Mapping):
        raise RowRefused(DropReason.FIELD_INVALID, "whole row", "not a JSON object")
    row = _own_row(fields) if set(fields) >= OWN else _prompt(source, *_asked(fields))
    if row["prompt_id"] in seen:
        raise RowRefused(DropReason.PROMPT_REPEATED, "whole row", "an earlier row has this question about these images")
    seen.add(row["prompt_id"])
    return row


def _own_row(fields: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: fields.get(name) for name in PROMPTS.names}
    text_of(fields, "prompt_id")
    try:
        pa.Table.from_pylist([row], schema=PROMPTS)
    except (pa.ArrowException, TypeError, ValueError) as error:
        problem = f"not of the columns' types: {str(error).splitlines()[0]}"
        raise RowRefused(DropReason.FIELD_INVALID, "whole row", problem) from None
    text_of(fields, "question")
    if row["language"] not in REWARD_SYSTEM:
        raise refuse("language", f"{row['language']!r} is none of {', '.join(REWARD_SYSTEM)}")
    _refuse_bad_history(row["history"] or (), len(row["images"] or ()))
    return row


def _refuse_bad_history(history: Sequence[Mapping[str, Any] | None], images: int) -> None:
    """Raises RowRefused if a turn is of nobody, says nothing, or shows images that are not there."""
    for place, turn in enumerate(history):
        field = f"history[{place}]"
        if turn is None:
            raise refuse(field, "missing")
        if (role := turn.get("role")) not in ROLES.values():
            raise refuse(f"{field}.role", f"{role!r} is none of {', '.join(dict.fromkeys(ROLES.values()))}")
        checked_text(turn.get("text"), f"{field}.text")
        if not 0 <= (turn.get("images") or 0) <= (images if role == "user" else 0):
            raise refuse(f"{field}.images", f"{turn['images']} of {images} images are shown by the {role}")
    shown = sum(turn.get("images") or 0 for turn in history if turn)
    if shown > images:
        raise refuse("history", f"{shown} images are shown, there are {images}")


def _asked(fields: Mapping[str, Any]) -> tuple[Asked, tuple[str, ...]]:
    """What a row asks, and its two answers, the better one first, if it has any."""
    named = next((field for field in ("conversations", "messages") if field in fields), None)
    if any(field in fields for field in PAIR_FIELDS):
        [pair] = (flat if named is None else llama_factory).parse(fields)
        told = Told(category=pair.category, reference=pair.reference)
        return Asked(pair.question, pair.images, pair.history, told), (pair.chosen, pair.rejected)
    if named is None:
        return flat.asked(fields), ()
    return asked_in(llama_factory.sharegpt_chat(fields), images_in(fields, "images", "image"), named), ()


def _prompt(source: str, asked: Asked, texts: tuple[str, ...]) -> dict[str, Any]:
    history = history_of(asked.history)
    named = [image["bytes"] or f"path {image['path']}" for image in asked.images]
    turns = [part for turn in asked.history for part in (turn.role, turn.text, turn.images)]
    key = ids.content_id("outside prompt", len(named), *named, asked.question, *turns)
    answers = [{"answer_id": ids.answer_id(key, text), "text": text} for text in texts]
    labels = []
    if texts:
        chosen, rejected = (answer["answer_id"] for answer in answers)
        name = ids.pair_id(source, chosen, rejected)
        labels = [{"pair_id": name, "chosen_id": chosen, "rejected_id": rejected, "planted_flip": None}]
    return {
        "prompt_id": key,
        "source": source,
        "category": asked.told.category,
        "language": language_of(asked.question),
        "images": list(asked.images),
        "history": history,
        "question": asked.question,
        "reference": asked.told.reference,
        "scene": None,
        "answers": sorted(answers, key=lambda answer: answer["answer_id"]),
        "labels": labels,
    }
