"""What a block is: some records of one file in their order, not parsed yet, small enough to be sent to a process."""

import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from dt2it_ray.data.formats.files import Files

BLOCK_BYTES = 1 << 19
"""Bytes of text in a block: some hundred rows, so that sending it to a process costs little beside its rows."""
MAX_RECORD_BYTES = 64 << 20
"""Longest record of text, so that one missing quotation mark does not bring a whole file into memory."""

BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
    pa.ArrowException,
)
"""What reading a damaged, encrypted or unknown container raises."""


def told(error: BaseException) -> str:
    """What a library says of a broken container: the first line, or the kind of error where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


class RowGroup(NamedTuple):
    """A row group of a Parquet file, which the worker opens itself."""

    folder: Files
    name: str
    group: int


@dataclass(frozen=True)
class Block:
    """Some records of one file."""

    file: str
    """Name of the file in its folder."""
    kind: str
    """How `content` is read: a key of `records.PARSERS`."""
    first: int
    """Number of the first record, counted from 1: of lines and of CSV that of the line it starts in, else its place."""
    content: Any
    """What the kind's cutter made: bytes, pieces of bytes, rows of texts, or a place in a file. Picklable."""
