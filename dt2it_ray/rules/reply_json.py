"""How the one JSON object in a judge's reply is found: code fences, prose and trailing commas do no harm."""

import json
import re
from typing import Any

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf'{_STRING}|["{{}}]', re.DOTALL)
_OBJECT_OR_PROSE = re.compile(rf"(?P<key>\{{\s*{_STRING}\s*:)|\{{[^{{}}]*\}}", re.DOTALL)
"""A brace that a key follows opens an object. Any other is prose, and matches only if a `}` is the next brace."""
_STRING_OR_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)


class NotOneObject(ValueError):
    """The text does not hold exactly one JSON object; the message says what it holds."""


def only_object(text: str) -> dict[str, Any]:
    """The JSON object in the text. Braces in the prose around it are passed over when they are empty or not JSON.

    Raises:
        NotOneObject: there is none, or more than one, or it is broken by more than trailing commas.
    """
    found, trouble = [], "no JSON object"
    for span in _braced_spans(text):
        try:
            tree = _load(span)
        except (ValueError, RecursionError) as error:
            trouble = f"not JSON: {error}"
        else:
            found += [tree] if tree else []
    if not found:
        raise NotOneObject(trouble)
    if len(found) > 1:
        raise NotOneObject(f"{len(found)} JSON objects where one was asked for")
    return found[0]


def _braced_spans(text: str) -> list[str]:
    """Every outermost `{...}` that starts with a key, and the `{...}` of the prose around them that nest no other.

    Braces inside JSON strings do not count. An object that is cut off ends the search: its parts are no replies.
    """
    spans, opening = [], _OBJECT_OR_PROSE.search(text)
    while opening is not None:
        end = _end_of_object(text, opening.start()) if opening["key"] else opening.end()
        if end is None:
            break
        spans.append(text[opening.start() : end])
        opening = _OBJECT_OR_PROSE.search(text, end)
    return spans


def _end_of_object(text: str, start: int) -> int | None:
    """The place behind the brace that closes the one at `start`; None if nothing does."""
    depth, position = 0, start
    while (token := _TOKEN.search(text, position)) is not None and token.group() != '"':
        position = token.end()
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            return position
    return None


def _load(span: str) -> dict[str, Any]:
    try:
        return _strict_load(span)
    except json.JSONDecodeError:
        return _strict_load(_STRING_OR_TRAILING_COMMA.sub(lambda match: match.group(1) or "", span))


def _strict_load(text: str) -> dict[str, Any]:
    return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {doubled!r} stands twice in one object")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
