"""The form of a granular rating, as a JSON schema for engines that can be held to one and as a pattern for others."""

import json
from collections.abc import Mapping
from typing import Any

from dt2it_ray.data.attributes import ATTRIBUTES, MAX_RATING, MIN_RATING


def rating_schema(num_answers: int) -> dict[str, Any]:
    """JSON schema (2020-12) of the reply to a request that shows so many answers."""
    value = {"type": "integer", "minimum": MIN_RATING, "maximum": MAX_RATING}
    answer = {
        "index": {"type": "integer", "minimum": 1, "maximum": num_answers},
        "analysis": {"type": "string"},
        "ratings": _object({name: dict(value) for name in ATTRIBUTES}),
    }
    answers = {"type": "array", "items": _object(answer), "minItems": num_answers, "maxItems": num_answers}
    return _object({"answers": answers})


def rating_pattern() -> str:
    """The same for a reader: one line of JSON with the kind of each value in place of the value."""
    ratings = dict.fromkeys(ATTRIBUTES, f"{MIN_RATING} to {MAX_RATING}")
    return json.dumps({"answers": [{"index": 1, "analysis": "text", "ratings": ratings}]})


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
