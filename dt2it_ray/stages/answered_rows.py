"""How outside rows of a prompt with several answers, of which nobody says which is better, are read to be scored."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.answered import ANSWERED
from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.data.formats.fields import RowRefused, checked_text
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import image_root, open_image
from dt2it_ray.data.formats.preference_rows import history_of
from dt2it_ray.data.formats.preferences import llama_factory
from dt2it_ray.data.formats.preferences.asked import Asked, asked_about, asked_in
from dt2it_ray.data.formats.preferences.flat import IMAGE_FIELDS
from dt2it_ray.data.formats.preferences.values import images_in, list_of, refuse
from dt2it_ray.data.formats.read_batch import Record, refused_row
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.data.formats.sources import find_source
from dt2it_ray.data.schema import DropReason
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingest_rows import place_of
from dt2it_ray.stages.stage import LoadStage, Outcome
from dt2it_ray.store.files import Folder

CHATS = ("messages", "conversations")
QUESTIONS = ("question", "prompt", "query")
ANSWERS = ("answers", "responses")
ROWS_AT_ONCE = 256
"""Rows whose images are in memory at a time."""


class AnsweredFiles(Settings):
    """Files of rows, by their content: moving them changes nothing."""

    address: str = Field(exclude=True)
    """As of `dt2it ingest`."""
    files: dict[str, str]
    """The sha256 of each file."""
    root: str
    """Folder or archive that paths of images are relative to. It counts: another has other images."""


def load_answered(folders: Mapping[str, Folder], settings: AnsweredFiles) -> Iterator[Outcome]:
    """Rows of ANSWERED in the order of the files, images opened, and what was refused.

    Raises:
        InputError: a file cannot be read.
    """
    source, root = find_source(settings.address, Folder), image_root(settings.root, Folder)
    records = (record for name in source.names for record in read_records(source.folder, name))
    rows: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for record in records:
        try:
            rows.append(_row(record, root))
        except RowRefused as refusal:
            told = {"key": place_of(record), "detail": f"{refusal.where}: {refusal.problem}"}
            refused.append(refused_row(record, refusal) | told)
        if len(rows) + len(refused) == ROWS_AT_ONCE:
            yield Outcome(pa.Table.from_pylist(rows, schema=ANSWERED), dropped_table(refused))
            rows, refused = [], []
    yield Outcome(pa.Table.from_pylist(rows, schema=ANSWERED), dropped_table(refused))


def _row(record: Record, root: Files) -> dict[str, Any]:
    fields = record.fields
    if not isinstance(fields, Mapping):
        raise RowRefused(DropReason.FIELD_INVALID, "whole row", "not an object with fields")
    asked = _asked(fields)
    named = next((name for name in ANSWERS if name in fields), None)
    if named is None:
        raise refuse(ANSWERS[0], "missing")
    texts = list_of(fields[named], named)
    if not texts:
        raise RowRefused(DropReason.TOO_FEW_ANSWERS, f"field {named}", "it is empty")
    item = fields.get("id")
    return {
        "row_id": place_of(record),
        "file": record.file,
        "row": record.number,
        "item": None if item is None else str(item),
        "images": [open_image(image, root) for image in asked.images],
        "history": history_of(asked.history),
        "question": asked.question,
        "answers": [checked_text(text, f"{named}[{place}]") for place, text in enumerate(texts)],
    }


def _asked(fields: Mapping[str, Any]) -> Asked:
    """What a row asks: the last turn of a chat, or a question."""
    images = images_in(fields, *IMAGE_FIELDS)
    chat = next((name for name in CHATS if name in fields), None)
    if chat is not None:
        return asked_in(llama_factory.sharegpt_chat(fields), images, chat)
    named = next((name for name in QUESTIONS if name in fields), QUESTIONS[0])
    return asked_about(fields.get(named), images, named)


LOAD_ANSWERED = LoadStage(name="answered_rows", version=1, writes=ANSWERED, load=load_answered)
