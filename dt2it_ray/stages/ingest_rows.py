"""How a checked preference becomes a row with ids, and the keys by which its duplicates are found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dt2it_ray.data.chat import language_of, transcript
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.preference import Preference
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.data.ids import answer_id, content_id, pair_id, prompt_id
from dt2it_ray.data.ingested import KEYED
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.minhash import signature_of
from dt2it_ray.rules.wording import normalised
from dt2it_ray.stages.ingest_settings import RowLimits, SignatureSettings

Images = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Keying:
    """What rows are named by."""

    source: str
    """The data set's name, where its rows do not tell."""
    limits: RowLimits
    signature: SignatureSettings | None
    """None: no signatures are made."""


def place_of(record: Record, place: int = 0) -> str:
    """Where a preference stood: the file, the row, and its place in the row if it is not the first. Sorts so, too."""
    suffix = f".{place + 1:03d}" if place else ""
    return f"{record.file}:{record.number:09d}{suffix}"


def keyed_table(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows of values in the order of KEYED as a table."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in KEYED)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, KEYED, strict=True)]
    return pa.table(arrays, schema=KEYED)


def keyed_row(preferred: Preference, record: Record, place: int, how: Keying) -> tuple[Any, ...]:
    """The values of KEYED for the preference at `place` of a record. Images are named, or as yet unopened bytes.

    Raises:
        RowRefused: the row is sound, but not wanted.
    """
    language = language_of(preferred.question)
    history = [{"role": turn.role, "text": turn.text, "images": turn.images} for turn in preferred.history]
    _check_wanted(preferred, language, how.limits)
    images = [{"bytes": image.get("bytes"), "path": image.get("path")} for image in preferred.images]
    source = preferred.source or how.source
    prompt, pair = row_ids(images, preferred.question, history, source, (preferred.chosen, preferred.rejected))
    asked = question_keys(question_text(preferred.question, history), how.signature)
    return (
        place_of(record, place),
        pair,
        prompt,
        source,
        record.file,
        record.number,
        preferred.item,
        preferred.category,
        language,
        images,
        history,
        preferred.question,
        preferred.chosen,
        preferred.rejected,
        preferred.strength,
        preferred.reference,
        preferred.chosen_origin,
        preferred.rejected_origin,
        preferred.chosen_critique,
        preferred.rejected_critique,
        *(asked[name] for name in ("question_key", "signature")),
        [image_key(image) for image in images],
        [None] * len(images),
        content_id("answers", *sorted((preferred.chosen, preferred.rejected))),
        preferred.chosen <= preferred.rejected,
    )


def row_ids(
    images: Images, question: str, history: Sequence[Mapping[str, Any]], source: str, answers: tuple[str, str]
) -> tuple[str, str]:
    """The ids of a prompt and of the pair of two answers to it. An image without bytes counts by its name."""
    prompt = prompt_id([image["bytes"] or (image["path"] or "").encode() for image in images], question, history)
    return prompt, pair_id(source, answer_id(prompt, answers[0]), answer_id(prompt, answers[1]))


def question_text(question: str, history: Sequence[Mapping[str, Any]]) -> str:
    """What is asked, with the turns before it, but for how it is typed."""
    return normalised(transcript(question, history))


def question_keys(asked: str, how: SignatureSettings | None) -> dict[str, Any]:
    """The key of a normalised question, and its signature if one is to be made."""
    signature = signature_of(asked, how.shingle, how.permutations) if how else None
    return {"question_key": content_id("question", asked), "signature": signature}


def image_key(image: Mapping[str, Any]) -> str:
    """A name of an image's content, or its path where there is none."""
    return content_id("image", image["bytes"]) if image["bytes"] else f"named:{image['path'] or ''}"


def _check_wanted(preferred: Preference, language: str, limits: RowLimits) -> None:
    turns = sum(len(turn.text) for turn in preferred.history)
    characters = turns + len(preferred.question) + len(preferred.chosen) + len(preferred.rejected)
    if characters > limits.max_characters:
        problem = f"{characters} characters, more than limits.max_characters={limits.max_characters}"
        raise RowRefused(DropReason.TEXT_TOO_LONG, "whole row", problem)
    if language not in limits.languages:
        problem = f"{language} is none of limits.languages={list(limits.languages)}"
        raise RowRefused(DropReason.LANGUAGE_UNWANTED, "field question", problem)
