"""How a long JSON list is cut into blocks of whole elements at the speed of the parser, and a damaged element is found.

Between two objects of a list the same text stands nearly everywhere, such as `}, {"id"`. A block that ends before the
last place of it is parsed as a list of its own: a cut inside a string or a nested value never parses. Only a block
that does not parse goes the slow way, element by element.
"""

import codecs
import re
from collections.abc import Iterator

import orjson

from dt2it_ray.data.formats.containers.block import BLOCK_BYTES, MAX_RECORD_BYTES
from dt2it_ray.data.formats.containers.compressed import Pieces
from dt2it_ray.data.formats.containers.json_element import DAMAGED, NOT_ALL, find_end
from dt2it_ray.data.formats.containers.lines import Numbered, parsed
from dt2it_ray.errors import InputError

PIECE_BYTES = 1 << 16
"""Bytes that are parsed at once: 390 MB/s; 290 with four times as many, and 190 with 16 times."""
BLANK = b" \t\r\n"
FIRST_KEY = re.compile(rb'\{[ \t\r\n]*"[^"\\\x00- ,:\[\]{}][^"\\\x00-\x1f,:\[\]{}]*"')
BORDER = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*" + FIRST_KEY.pattern)
"""What follows an object of a list: the comma, and the next object up to its first key. As the key does not begin with
what may follow a string, this text cannot stand inside one."""
LONGEST_BORDER = 4096
MOST_TRIES = 12
"""Ends of a piece that are tried before it goes the slow way: nested objects may have the same first key."""
LONGEST_SEARCH = 4 << 20
"""Bytes in which the end of an element is looked for, before it is given up at the next border."""
Chunk = bytes | tuple[bytes, ...]


def cut_list(pieces: Pieces, where: str) -> Iterator[tuple[int, tuple[Chunk, ...]]]:
    """Chunks of elements with the number of the first of them. A chunk is the text of a list without its brackets, or
    texts of elements one by one where there is a damaged one among them.

    Raises:
        InputError: the file holds no list, breaks off, or goes on behind its list.
    """
    window = _Window(pieces, where)
    chunks: list[Chunk] = []
    first, size = 1, 0
    while not window.is_done():
        chunk, count = window.take_fast() or window.take_slowly()
        chunks.append(chunk)
        window.number += count
        size += len(chunk) if isinstance(chunk, bytes) else sum(map(len, chunk))
        if size >= BLOCK_BYTES:
            yield first, tuple(chunks)
            first, chunks, size = window.number, [], 0
    if chunks:
        yield first, tuple(chunks)


def parse_list(chunks: tuple[Chunk, ...], first: int) -> Iterator[Numbered]:
    """The elements of chunks; one that cannot be parsed is its text."""
    number = first
    for chunk in chunks:
        for element in parsed(b"[%b]" % chunk) if isinstance(chunk, bytes) else map(parsed, chunk):
            yield number, element
            number += 1


class _Window:
    """The part of a list that is in memory, from an element's start on."""

    def __init__(self, pieces: Pieces, where: str) -> None:
        self._pieces, self._where, self.number = pieces, where, 1
        self._border = b""
        self._next = 0
        self._ended = False
        self._text = b""
        self._read(LONGEST_BORDER)
        self._text = self._text.removeprefix(codecs.BOM_UTF8).lstrip(BLANK)
        if not self._text.startswith(b"["):
            if pieces.trouble:
                raise self._cut_off()
            raise InputError(f"{where} holds no JSON list of records; name a file of one record per line .jsonl")
        self._text = self._text[1:]

    def is_done(self) -> bool:
        """Whether the list has ended; nothing may stand behind it."""
        while not (rest := self._text.lstrip(BLANK + b",")) and not self._ended:
            self._read()
        self._text = rest
        if not rest:
            raise self._cut_off()
        if rest[:1] != b"]":
            return False
        self._read()
        if self._pieces.trouble:
            raise self._cut_off()
        if behind := self._text[1:].strip():
            shown = behind[:60].decode(errors="backslashreplace")
            raise InputError(f"{self._where} goes on behind its list of {self.number - 1} records with {shown!r}")
        return True

    def take_fast(self) -> tuple[bytes, int] | None:
        """The elements of a block and how many there are; None where the fast way does not go."""
        if len(self._text) < PIECE_BYTES:
            self._read()
        while self._border and self._border not in self._text and not self._ended and len(self._text) < BLOCK_BYTES:
            self._read(len(self._text))
        if self._ended and (last := self._text.rstrip(BLANK)).endswith(b"]") and (count := _count(last[:-1])):
            self._text = b"]"
            return last[:-1], count
        end = len(self._text)
        for _ in range(MOST_TRIES if self._border else 0):
            end = self._text.rfind(self._border, 0, end)
            if end < 0:
                return None
            if count := _count(self._text[: end + 1]):
                return self._taken(end + 1), count
        return None

    def take_slowly(self) -> tuple[tuple[bytes, ...], int]:
        """The elements of about a piece, each on its own, and how many there are."""
        elements: list[bytes] = []
        size = 0
        while size < PIECE_BYTES and not (elements and self._text.lstrip(BLANK + b",")[:1] in (b"", b"]")):
            self._text = self._text.lstrip(BLANK + b",")
            end = self._element_end(self.number + len(elements))
            elements.append(self._taken(end))
            size += end
        return tuple(elements), len(elements)

    def _element_end(self, number: int) -> int:
        """Where the first element ends, or where a damaged one shall end."""
        while True:
            end = find_end(self._text)
            if end >= 0 and _count(self._text[:end]):
                self._learn_border(end)
                return end
            searched = self._ended or len(self._text) > LONGEST_SEARCH
            self._guess_border()
            if end >= 0 and (searched or self._text[:1] != b"{" or self._is_border(end - 1)):
                return end if self._is_border(end - 1) else self._next_border() or end
            if (end == DAMAGED or searched) and (found := self._next_border()):
                return found
            if self._ended:
                return self._last_end(end, number)
            if len(self._text) > MAX_RECORD_BYTES:
                raise InputError(f"{self._where} record {number} is damaged, or has more than {MAX_RECORD_BYTES} bytes")
            self._read(len(self._text))

    def _next_border(self) -> int | None:
        """The end of an element whose neighbour behind it is whole."""
        place = -1
        for _ in range(MOST_TRIES if self._border else 0):
            place = self._text.find(self._border, place + 1)
            if place < 0:
                return None
            if self._is_border(place):
                return place + 1
        return None

    def _is_border(self, place: int) -> bool:
        if not self._border or not self._text.startswith(self._border, place):
            return False
        start = place + self._next
        end = find_end(self._text[start : start + LONGEST_SEARCH])
        return end > 0 and _count(self._text[start : start + end]) > 0

    def _last_end(self, trouble: int, number: int) -> int:
        whole = self._text.rstrip(BLANK)
        # Without a border nobody knows how many records this one would swallow.
        broken = trouble == NOT_ALL or self._pieces.trouble or not self._border
        if broken or not whole.endswith(b"]") or len(whole) == 1:
            self.number = number
            raise self._cut_off()
        return len(whole) - 1

    def _learn_border(self, end: int) -> None:
        if self._border or self._text[end - 1 : end] != b"}":
            return
        if found := BORDER.match(self._text[: end + LONGEST_BORDER], end):
            self._set_border(b"}" + found.group())

    def _guess_border(self) -> None:
        """Where a damaged element comes first, its neighbour is most likely one that begins with the same key."""
        if not self._border and (key := FIRST_KEY.match(self._text)):
            found = re.search(rb"\}[ \t\r\n]*,[ \t\r\n]*" + re.escape(key.group()), self._text)
            self._set_border(found.group() if found else b"")

    def _set_border(self, border: bytes) -> None:
        self._border, self._next = border, border.find(b"{")

    def _taken(self, end: int) -> bytes:
        taken, self._text = self._text[:end], self._text[end:]
        return taken

    def _read(self, size: int = 0) -> None:
        size = size or PIECE_BYTES
        more = self._pieces.more(size)
        self._ended = self._ended or len(more) < size
        self._text += more

    def _cut_off(self) -> InputError:
        found = self._pieces.trouble or repr(self._text[:60].decode(errors="backslashreplace"))
        return InputError(f"{self._where} is cut off or damaged behind record {self.number - 1}: {found}")


def _count(elements: bytes) -> int:
    """How many elements a text of a list without its brackets has; 0 if it does not parse."""
    try:
        return len(orjson.loads(b"[%b]" % elements))
    except orjson.JSONDecodeError:
        return 0
