"""What a critique of an answer is: a turn of its own behind the answer, written on request, and columns of tables."""

from collections.abc import Sequence

import pyarrow as pa

from dt2it_ray.data.chat import Message
from dt2it_ray.data.schema import PAIRS

CRITIQUE_REQUEST = {
    "en": "Write a short critique of this answer.",
    "zh": "请对这个回答写一段简短的评语。",
}
"""By the language of the question; the wording is ours, as arXiv 2502.10391 publishes none for its reward model."""

CRITIQUES = pa.schema([("answer_id", pa.string()), ("prompt_id", pa.string()), ("critique", pa.string())])
"""What somebody wrote of an answer."""

CRITIQUE_COLUMNS = ("chosen_critique", "rejected_critique")
"""Columns of a table of pairs from which critique-based training reads; null where nobody wrote one."""

CRITIQUED_PAIRS = pa.schema([*PAIRS, *((name, pa.string()) for name in CRITIQUE_COLUMNS)])
"""Pairs with a critique of each answer."""


def with_request(messages: Sequence[Message], language: str) -> list[Message]:
    """A conversation that ends with an answer, and the request for a critique of it."""
    return [*messages, {"role": "user", "content": CRITIQUE_REQUEST[language]}]


def with_critique(messages: Sequence[Message], language: str, critique: str) -> list[Message]:
    """A conversation that ends with an answer, and two turns behind it: the request and the critique."""
    return [*with_request(messages, language), {"role": "assistant", "content": critique}]
