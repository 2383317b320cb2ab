"""How rows get names: from their content, so that neither file, order nor time can change them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

ID_LENGTH = 20
"""Hex digits of an id: 80 bits, so that ten million rows collide with a chance under one in ten billion."""
_LENGTHS = [length.to_bytes(8, "little") for length in range(2048)]


def content_id(*parts: str | bytes | int) -> str:
    """A name made of the parts' content and their boundaries; the same parts always give the same name."""
    return content_digest(*parts).hexdigest()


def content_digest(*parts: str | bytes | int) -> hashlib.blake2b:
    """The digest behind `content_id`, which a caller with many last parts may copy and go on with."""
    # Joined first: hashing small pieces one by one takes longer, and a million rows have seven million ids.
    return hashlib.blake2b(b"".join(_pieces(parts)), digest_size=ID_LENGTH // 2)


def _pieces(parts: Sequence[str | bytes | int]) -> list[bytes]:
    pieces: list[bytes] = []
    for part in parts:
        encoded = part if isinstance(part, bytes) else str(part).encode()
        length = len(encoded)
        pieces += (_LENGTHS[length] if length < len(_LENGTHS) else length.to_bytes(8, "little"), encoded)
    return pieces


def prompt_id(images: Sequence[bytes], question: str, history: Sequence[Mapping[str, Any]] | None = None) -> str:
    """The name of a prompt: its images' bytes, in order, its question, and the turns before it if there are any."""
    turns = [part for turn in history or () for part in (turn["role"], turn["text"], turn["images"] or 0)]
    return content_id("prompt", len(images), *images, question, *turns)


def answer_id(prompt: str, text: str) -> str:
    """The name of one answer to one prompt."""
    return content_id("answer", prompt, text)


def pair_id(source: str, first_answer: str, second_answer: str) -> str:
    """The name of a pair of one source. Swapping the two answers does not change it, so a flip keeps the name."""
    return content_id("pair", source, *sorted((first_answer, second_answer)))


def unit_interval(*parts: str | bytes | int) -> float:
    """A number in [0, 1) drawn from the parts' content: randomness that does not depend on the order of rows."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(content_id(*parts).encode())
    return int.from_bytes(digest.digest(), "big") / 2**64
