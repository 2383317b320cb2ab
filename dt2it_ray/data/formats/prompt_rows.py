"""How outside rows become prompts to construct pairs for: images and questions, or pairs that somebody labelled.

Shapes, told apart row by row:
- flat: `question`, one of `image`, `image_path`, `images` (paths, or Parquet structs of bytes and path), and if there
  are any `gt` (or `reference`), `chosen` and `rejected`;
- LLaMA-Factory sharegpt: `conversations` of one human turn with as many `<image>` as `images`, `chosen`, `rejected`;
- this package's own PROMPTS columns.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dt2it_ray.data import ids
from dt2it_ray.data.chat import language_of
from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.data.formats.fields import RowRefused, checked_text, text_of
from dt2it_ray.data.formats.read_batch import ReadBatch, Record, refused_row
from dt2it_ray.data.schema import PROMPTS, DropReason

IMAGE_FIELDS = ("images", "image", "image_path")
REFERENCE_FIELDS = ("gt", "reference", "ground_truth")
PLACEHOLDER = "<image>"


@dataclass(frozen=True)
class AskedRow:
    """What an outside row asks: images as bytes or paths, and the answers `(chosen, rejected)` if it is a pair."""

    question: str
    images: Sequence[Mapping[str, Any]]
    reference: str | None = None
    labelled: tuple[str, str] | None = None


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
    own = set(PROMPTS.names) <= set(fields)
    row = _own_row(fields) if own else _prompt(source, _asked(fields))
    if row["prompt_id"] in seen:
        raise RowRefused(DropReason.PROMPT_REPEATED, "whole row", "an earlier row has this question about these images")
    seen.add(row["prompt_id"])
    return row


def _own_row(fields: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: fields[name] for name in PROMPTS.names}
    text_of(fields, "prompt_id")
    try:
        pa.Table.from_pylist([row], schema=PROMPTS)
    except (pa.ArrowException, TypeError, ValueError) as error:
        problem = f"not of the columns' types: {str(error).splitlines()[0]}"
        raise RowRefused(DropReason.FIELD_INVALID, "whole row", problem) from None
    return row


def _asked(fields: Mapping[str, Any]) -> AskedRow:
    return _asked_sharegpt(fields) if "conversations" in fields else _asked_flat(fields)


def _asked_flat(fields: Mapping[str, Any]) -> AskedRow:
    field = next((name for name in IMAGE_FIELDS if fields.get(name) is not None), None)
    found = fields[field] if field else []
    images = found if isinstance(found, list) else [found]
    reference = next((fields[name] for name in REFERENCE_FIELDS if fields.get(name)), None)
    return AskedRow(
        question=text_of(fields, "question"),
        images=[_image(image, field or "image") for image in images],
        reference=None if reference is None else checked_text(str(reference), "reference"),
        labelled=_labelled(fields, "chosen", "rejected") if "chosen" in fields or "rejected" in fields else None,
    )


def _asked_sharegpt(fields: Mapping[str, Any]) -> AskedRow:
    turns = fields["conversations"]
    if not isinstance(turns, list) or len(turns) != 1 or not isinstance(turns[0], Mapping):
        raise RowRefused(DropReason.FIELD_INVALID, "field conversations", "not a list of one human turn")
    text = text_of(turns[0], "value")
    named = fields.get("images") or []
    images = [_image(image, "images") for image in (named if isinstance(named, list) else [named])]
    if text.count(PLACEHOLDER) != len(images):
        problem = f"{text.count(PLACEHOLDER)} {PLACEHOLDER} for {len(images)} images"
        raise RowRefused(DropReason.FIELD_INVALID, "field conversations", problem)
    question = checked_text(text.replace(PLACEHOLDER, "").strip(), "conversations")
    paired = "chosen" in fields or "rejected" in fields
    values = {name: _value(fields.get(name), name) for name in ("chosen", "rejected")} if paired else {}
    return AskedRow(question, images, labelled=_labelled(values, "chosen", "rejected") if paired else None)


def _value(turn: Any, field: str) -> Any:
    if not isinstance(turn, Mapping):
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", "not a turn with a value")
    return turn.get("value")


def _labelled(fields: Mapping[str, Any], chosen: str, rejected: str) -> tuple[str, str]:
    better, worse = text_of(fields, chosen), text_of(fields, rejected)
    if better == worse:
        raise RowRefused(DropReason.ANSWERS_EQUAL, "chosen and rejected", "the two answers are the same text")
    return better, worse


def _image(image: Any, field: str) -> dict[str, Any]:
    """The image by its bytes where the row holds them: the name that comes with them need not be that of a file."""
    held, path = (image.get("bytes"), image.get("path")) if isinstance(image, Mapping) else (None, image)
    if held and isinstance(held, bytes):
        return {"bytes": held, "path": None}
    if not path or held:
        problem = f"{ascii(image)[:60]} is no image and no path of one"
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {field}", problem)
    return {"bytes": None, "path": checked_text(path, field)}


def _prompt(source: str, asked: AskedRow) -> dict[str, Any]:
    named = [image["bytes"] or f"path {image['path']}" for image in asked.images]
    key = ids.content_id("outside prompt", len(named), *named, asked.question)
    texts = asked.labelled or ()
    answers = [{"answer_id": ids.answer_id(key, text), "text": text} for text in texts]
    labels = []
    if asked.labelled:
        chosen, rejected = (answer["answer_id"] for answer in answers)
        name = ids.pair_id(source, chosen, rejected)
        labels = [{"pair_id": name, "chosen_id": chosen, "rejected_id": rejected, "planted_flip": None}]
    return {
        "prompt_id": key,
        "source": source,
        "category": None,
        "language": language_of(asked.question),
        "images": list(asked.images),
        "history": None,
        "question": asked.question,
        "reference": asked.reference,
        "scene": None,
        "answers": sorted(answers, key=lambda answer: answer["answer_id"]),
        "labels": labels,
    }
