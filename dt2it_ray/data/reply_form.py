"""The form of a judge's reply of any kind: as a JSON schema for engines that can be held to one, and for a reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ReplyForm:
    """What a judge is to reply with."""

    schema: Callable[[int], Mapping[str, Any]]
    """The JSON schema (2020-12) of the reply to a request that shows so many answers."""
    pattern: str
    """The same for a reader: one line of JSON with the kind of each value in place of the value."""


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has all of these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def answers_schema(num_answers: int, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list with one object for each answer shown: its `index` from 1, and these properties."""
    index = {"type": "integer", "minimum": 1, "maximum": num_answers}
    answer = object_schema({"index": index, **properties})
    return {"type": "array", "items": answer, "minItems": num_answers, "maxItems": num_answers}
