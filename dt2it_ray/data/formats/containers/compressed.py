"""How the bytes of a file of text come, piece by piece, whether it is compressed or not."""

import contextlib
import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from dt2it_ray.data.formats.containers.block import BLOCK_BYTES, BROKEN, told
from dt2it_ray.data.formats.files import Files

CODECS = {".gz": "gzip", ".zst": "zstd"}
"""Codecs by the last ending of a file's name."""
ZSTD_BYTES = 1 << 16
"""Bytes unpacked at once: those of the piece where a file breaks off are lost, so pieces are small."""


def plain_name(name: str) -> str:
    """The name without the ending of its compression."""
    return name[: -len(ending)] if (ending := _ending(name)) else name


def _ending(name: str) -> str:
    return next((ending for ending in CODECS if name.lower().endswith(ending)), "")


class Pieces:
    """The bytes of an opened file. A file that breaks off ends early, and `trouble` says why."""

    def __init__(self, stream: Any, codec: str | None) -> None:
        if codec == "gzip":
            # Unlike Arrow's, Python's reader hands out what stands before the place where a file breaks off.
            self._read: Callable[[int], bytes] = gzip.GzipFile(fileobj=stream).read1
        else:
            self._read = pa.CompressedInputStream(_native(stream), codec).read if codec else stream.read
        self._most = ZSTD_BYTES if codec == "zstd" else BLOCK_BYTES
        self._ahead = b""
        # No compressed file is empty, but readers take an empty one for the end of one.
        nothing = codec and isinstance(stream, pa.NativeFile) and not stream.size()
        self.trouble: str | None = "the file is empty" if nothing else None

    def ahead(self) -> bytes:
        """The bytes that come next, which still do."""
        self._ahead = self._ahead or self.more()
        return self._ahead

    def more(self, size: int = BLOCK_BYTES) -> bytes:
        """The next `size` bytes, fewer where the file ends; empty at the end."""
        got = [self._ahead[:size]] if self._ahead else []
        self._ahead = self._ahead[size:]
        left = size - sum(map(len, got))
        while left > 0 and self.trouble is None:
            try:
                piece = self._read(min(left, self._most))
            except BROKEN as error:
                self.trouble = told(error)
                break
            if not piece:
                break
            got.append(piece)
            left -= len(piece)
        return got[0] if len(got) == 1 else b"".join(got)


@contextlib.contextmanager
def opened(folder: Files, name: str) -> Iterator[Pieces]:
    """The uncompressed bytes of a file."""
    with folder.stream(name) as stream:
        yield Pieces(stream, CODECS.get(_ending(name)))


def _native(stream: Any) -> pa.NativeFile:
    return stream if isinstance(stream, pa.NativeFile) else pa.PythonFile(stream, mode="r")
