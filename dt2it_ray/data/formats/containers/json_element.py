"""Where the first element of a JSON text ends, by its brackets and strings alone."""

import re

NOT_ALL = -1
"""The text ends before the element does."""
DAMAGED = -2
"""The element cannot be JSON."""
# A string holds no control character, so a missing quotation mark is noticed at the next line end, or at the first
# character that JSON has in strings only.
TOKEN = re.compile(rb'[\s,:\w.+-]++|"(?:[^"\\\x00-\x1f]++|\\.)*+"|[\[{]|[\]}]')
OPEN_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\.)*+\\?\Z')
SCALAR = re.compile(rb"[^\s,\[\]{}\"]++")


def find_end(text: bytes) -> int:
    """The place behind the element that starts the text, NOT_ALL or DAMAGED. Brackets are counted, not told apart, and
    values between them are not looked at: an element that has an end may still be no JSON."""
    if text[:1] not in (b"[", b"{", b'"'):
        found = SCALAR.match(text)
        if found is None:
            return DAMAGED if text else NOT_ALL
        # More digits may stand in what is not read yet.
        return found.end() if found.end() < len(text) else NOT_ALL
    depth = place = 0
    while place < len(text):
        token = TOKEN.match(text, place)
        if token is None:
            return NOT_ALL if OPEN_STRING.match(text, place) else DAMAGED
        place = token.end()
        first = token.group()[:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth <= 0:
            return place
    return NOT_ALL
