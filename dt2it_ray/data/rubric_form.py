"""The form of a rubric reply."""

import json
from collections.abc import Mapping
from typing import Any

from dt2it_ray.data.criteria import CRITERIA, MAX_SCORE, MIN_SCORE
from dt2it_ray.data.reply_form import ReplyForm, answers_schema, object_schema


def reply_schema(num_answers: int) -> dict[str, Any]:
    """JSON schema (2020-12) of the reply to a request that shows so many answers."""
    answer = {
        "analysis": _by_criterion({"type": "string"}),
        "scores": _by_criterion({"type": "integer", "minimum": MIN_SCORE, "maximum": MAX_SCORE}),
        "overall": {"type": "number"},
    }
    return object_schema(
        {
            "reference": {"type": "string"},
            "weights": _by_criterion({"type": "number", "minimum": 0, "maximum": 1}),
            "answers": answers_schema(num_answers, answer),
        }
    )


def reply_pattern() -> str:
    """The same for a reader: one line of JSON with the kind of each value in place of the value."""
    answer = {
        "index": 1,
        "analysis": _kinds("text"),
        "scores": _kinds(f"{MIN_SCORE} to {MAX_SCORE}"),
        "overall": "number",
    }
    return json.dumps({"reference": "text", "weights": _kinds("0 to 1"), "answers": [answer]})


def _kinds(kind: str) -> dict[str, str]:
    return dict.fromkeys(CRITERIA, kind)


def _by_criterion(kind: Mapping[str, Any]) -> dict[str, Any]:
    return object_schema({criterion: dict(kind) for criterion in CRITERIA})


RUBRIC = ReplyForm(reply_schema, reply_pattern())
