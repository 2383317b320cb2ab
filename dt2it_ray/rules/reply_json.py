"""How the one JSON object in a judge's reply is found: code fences, prose and trailing commas do no harm."""

import json
import re
from typing import Any

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf'{_STRING}|["{{}}]', re.DOTALL)
_STRING_OR_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)


class NotOneObject(ValueError):
    """The text does not hold exactly one JSON object; the message says what it holds."""


def only_object(text: str) -> dict[str, Any]:
    """The JSON object in the text. Braces in the prose around it are passed over when they are not JSON.

    Raises:
        NotOneObject: there is none, or more than one, or it is broken by more than trailing commas.
    """
    found, trouble = [], "no JSON object"
    for span in _braced_spans(text):
        try:
            found.append(_load(span))
        except (ValueError, RecursionError) as error:
            trouble = f"not JSON: {error}"
    if not found:
        raise NotOneObject(trouble)
    if len(found) > 1:
        raise NotOneObject(f"{len(found)} JSON objects where one was asked for")
    return found[0]


def _braced_spans(text: str) -> list[str]:
    """Every outermost `{...}` of the text. Braces inside JSON strings do not count."""
    spans, start, depth = [], text.find("{"), 0
    position = start
    while start >= 0:
        token = _TOKEN.search(text, position)
        if token is None or token.group() == '"':
            break
        position = token.end()
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            spans.append(text[start:position])
            position = start = text.find("{", position)
    return spans


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
