"""How the raw records of an outside file are read, in blocks that other processes parse or one by one, by its name."""

import codecs
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from dt2it_ray.data.formats.containers.archive import MEMBER
from dt2it_ray.data.formats.containers.block import BROKEN, Block, told
from dt2it_ray.data.formats.containers.compressed import Pieces, opened, plain_name
from dt2it_ray.data.formats.containers.delimited import DELIMITERS, cut_delimited, parse_delimited
from dt2it_ray.data.formats.containers.json_list import cut_list, parse_list
from dt2it_ray.data.formats.containers.lines import Numbered, are_lines, cut_lines, parse_lines
from dt2it_ray.data.formats.containers.samples import cut_samples, parse_samples
from dt2it_ray.data.formats.containers.tables import (
    cut_arrow,
    cut_packed_parquet,
    cut_parquet,
    parse_arrow,
    parse_parquet,
)
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.errors import InputError, StoreError

LINES = (".jsonl", ".ndjson")
KINDS = (*LINES, ".json", *DELIMITERS, ".parquet", ".arrow", ".tar")
"""Endings of files of rows. Those of text may be followed by `.gz` or `.zst`; a `.tar` is one of samples."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
TABLES = (".parquet", ".arrow")
TARS = (".tar", ".tar.gz", ".tgz")


def kind_of(name: str) -> str | None:
    """The ending that tells how a file is read, without that of its compression; None if it holds no rows."""
    if name.lower().endswith(TARS):
        return ".tar"
    plain = plain_name(name)
    suffix = PurePosixPath(plain).suffix.lower()
    return suffix if suffix in KINDS and (suffix not in TABLES or plain == name) else None


def read_blocks(folder: Files, name: str) -> Iterator[Block]:
    """The blocks of one file in its order.

    Raises:
        InputError: the file cannot be read, is of another kind, no list of records, or cut off; the message names the
            last record that is whole.
    """
    kind = kind_of(name)
    if kind is None:
        raise InputError(f"{folder.path(name)}: files of rows end in one of {', '.join(KINDS)}, or in .gz or .zst too")
    try:
        yield from _cut(folder, name, kind)
    except StoreError as error:
        raise InputError(str(error)) from None
    except BROKEN as error:
        raise InputError(f"cannot read {folder.path(name)}: {told(error)}") from None


def records_of(block: Block) -> Iterator[Record]:
    """The records of a block, numbered from 1, those of lines and of CSV by line. One that cannot be parsed is a record
    whose fields are text.

    Raises:
        InputError: the part of a Parquet file is damaged.
    """
    for number, fields in PARSERS[block.kind](block.content, block.first):
        yield Record(block.file, number, fields)


def read_records(folder: Files, name: str) -> Iterator[Record]:
    """The records of one file in its order. Raises InputError as `read_blocks` and `records_of` do."""
    for block in read_blocks(folder, name):
        yield from records_of(block)


def _cut(folder: Files, name: str, kind: str) -> Iterator[Block]:
    where = folder.path(name)
    if kind == ".parquet" and MEMBER in name:
        yield from _blocks(name, ".arrow", cut_packed_parquet(folder, name))
    elif kind == ".parquet":
        yield from _blocks(name, kind, cut_parquet(folder, name))
    elif kind in (".arrow", ".tar"):
        with folder.stream(name) as stream:
            yield from _blocks(name, kind, cut_arrow(stream, where) if kind == ".arrow" else cut_samples(stream, where))
    else:
        with opened(folder, name) as pieces:
            yield from _cut_text(pieces, where, name, kind)


def _cut_text(pieces: Pieces, where: str, name: str, kind: str) -> Iterator[Block]:
    if pieces.ahead().startswith(UTF_16):
        raise InputError(f"{where} is UTF-16, not UTF-8; change it with: iconv -f UTF-16 -t UTF-8 FILE")
    if kind in DELIMITERS:
        return _blocks(name, kind, cut_delimited(pieces, where, DELIMITERS[kind]))
    # Many a file of lines is called .json.
    if kind in LINES or are_lines(pieces.ahead()):
        return _blocks(name, LINES[0], cut_lines(pieces, where))
    return _blocks(name, kind, cut_list(pieces, where))


def _blocks(name: str, kind: str, parts: Iterator[tuple[int, Any]]) -> Iterator[Block]:
    for first, content in parts:
        yield Block(name, kind, first, content)


PARSERS: dict[str, Callable[[Any, int], Iterator[Numbered]]] = {
    **dict.fromkeys(LINES, parse_lines),
    **dict.fromkeys(DELIMITERS, parse_delimited),
    ".json": parse_list,
    ".parquet": parse_parquet,
    ".arrow": parse_arrow,
    ".tar": parse_samples,
}
"""Parsers of blocks by kind; they take a block's content and the number of its first record."""
