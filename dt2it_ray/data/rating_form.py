"""The form of a granular rating."""

import json
from typing import Any

from dt2it_ray.data.attributes import ATTRIBUTES, MAX_RATING, MIN_RATING
from dt2it_ray.data.reply_form import ReplyForm, answers_schema, object_schema


def rating_schema(num_answers: int) -> dict[str, Any]:
    """JSON schema (2020-12) of the reply to a request that shows so many answers."""
    value = {"type": "integer", "minimum": MIN_RATING, "maximum": MAX_RATING}
    ratings = object_schema({name: dict(value) for name in ATTRIBUTES})
    answers = answers_schema(num_answers, {"analysis": {"type": "string"}, "ratings": ratings})
    return object_schema({"answers": answers})


def rating_pattern() -> str:
    """The same for a reader: one line of JSON with the kind of each value in place of the value."""
    ratings = dict.fromkeys(ATTRIBUTES, f"{MIN_RATING} to {MAX_RATING}")
    return json.dumps({"answers": [{"index": 1, "analysis": "text", "ratings": ratings}]})


RATING = ReplyForm(rating_schema, rating_pattern())
