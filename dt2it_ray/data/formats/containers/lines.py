"""How files of one JSON value per line are cut at line ends, and how their lines are parsed."""

import codecs
import io
import json
from collections.abc import Iterator
from typing import Any

import orjson

from dt2it_ray.data.formats.containers.block import MAX_RECORD_BYTES
from dt2it_ray.data.formats.containers.compressed import Pieces
from dt2it_ray.errors import InputError

Numbered = tuple[int, Any]


def are_lines(start: bytes) -> bool:
    """Whether a file begins with an object on a line of its own and one more behind it."""
    first, _, rest = start.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
    return rest.lstrip().startswith(b"{") and isinstance(parsed(first), dict)


def cut_lines(pieces: Pieces, where: str) -> Iterator[tuple[int, bytes]]:
    """Whole lines with the number of the first of them; the last one may lack its end.

    Raises:
        InputError: the file breaks off, or a line is longer than MAX_RECORD_BYTES.
    """
    number, kept = 1, [pieces.more().removeprefix(codecs.BOM_UTF8)]
    more = kept[0]
    while more:
        if end := more.rfind(b"\n") + 1:
            lines = b"".join([*kept[:-1], more[:end]])
            yield number, lines
            number += lines.count(b"\n")
            kept = [more[end:]]
        _refuse_endless(kept, number, where)
        more = pieces.more()
        kept.append(more)
    if pieces.trouble:
        raise InputError(f"{where} is cut off or damaged behind line {number - 1}: {pieces.trouble}")
    if last := b"".join(kept):
        yield number, last


def _refuse_endless(kept: list[bytes], number: int, where: str) -> None:
    if sum(map(len, kept)) > MAX_RECORD_BYTES:
        raise InputError(f"{where} line {number} has more than {MAX_RECORD_BYTES} bytes; is it a file of JSON lines?")


def parse_lines(lines: bytes, first: int) -> Iterator[Numbered]:
    """The value of every line that is not blank, by its number; its text where it is no JSON."""
    for number, line in enumerate(io.BytesIO(lines), first):
        if line.strip():
            yield number, parsed(line)


def parsed(text: bytes) -> Any:
    """The JSON value of a text, or the text itself where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        # Python also takes NaN, and half characters, which a later check refuses by the field that they stand in.
        return json.loads(text.decode())
    except (ValueError, RecursionError):
        return text.decode(errors="backslashreplace")
