"""How the one JSON object in a judge's reply is found: code fences, prose and trailing commas do no harm."""

import json
import re
from dataclasses import dataclass
from typing import Any

from dt2it_ray.rules.faults import Fault

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf'{_STRING}|["{{}}]', re.DOTALL)
_OPENING = re.compile(rf"\{{\s*{_STRING}\s*:", re.DOTALL)
"""A brace that a key follows opens an object; any other, as of a formula or an empty pair, is prose."""
_STRING_OR_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)
_FENCE = re.compile(r"```[A-Za-z0-9]*")


class NotOneObject(ValueError):
    """The text does not hold exactly one JSON object; the message says what it holds."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class FoundObject:
    """The JSON object of a text, and what had to be passed over or mended to read it."""

    tree: dict[str, Any]
    text: str
    repairs: tuple[Fault, ...]


def find_object(text: str) -> FoundObject:
    """The JSON object in the text. Braces in the prose around it are passed over unless a key follows them.

    What only begins like a second object is refused too: a judge that quotes what it judges could else be made to hide
    its own object behind half a quoted one.

    Raises:
        NotOneObject: there is none, or more than one, or it is broken by more than trailing commas.
    """
    spans = _object_spans(text)
    if not spans:
        raise NotOneObject(Fault.NOT_ONE_OBJECT, "no JSON object")
    if len(spans) > 1:
        raise NotOneObject(Fault.NOT_ONE_OBJECT, f"{len(spans)} JSON objects where one was asked for")
    start, end = spans[0]
    try:
        tree, mended = _load(text[start:end])
    except (ValueError, RecursionError) as error:
        raise NotOneObject(Fault.BROKEN_OBJECT, f"not JSON: {error}") from None
    around = text[:start] + text[end:]
    repairs = [
        (Fault.FENCED, _FENCE.search(around) is not None),
        (Fault.PROSE_AROUND, bool(_FENCE.sub("", around).strip())),
        (Fault.TRAILING_COMMA, mended),
    ]
    return FoundObject(tree, text[start:end], tuple(fault for fault, made in repairs if made))


def _object_spans(text: str) -> list[tuple[int, int]]:
    """Where the outermost objects start and end. Braces inside JSON strings do not count."""
    spans, position = [], 0
    while (opening := _OPENING.search(text, position)) is not None:
        end = _end_of_object(text, opening.start())
        if end is None:
            raise NotOneObject(Fault.BROKEN_OBJECT, "not JSON: the object is cut off, or a quote in it is not escaped")
        spans.append((opening.start(), end))
        position = end
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


def _load(span: str) -> tuple[dict[str, Any], bool]:
    """The object, and whether trailing commas had to be removed."""
    try:
        return _strict_load(span), False
    except json.JSONDecodeError:
        return _strict_load(_STRING_OR_TRAILING_COMMA.sub(lambda match: match.group(1) or "", span)), True


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
