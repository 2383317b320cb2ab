"""Which columns finished pairs have when they leave a run."""

import pyarrow as pa

from dt2it_ray.data.critiques import CRITIQUE_COLUMNS
from dt2it_ray.data.schema import IMAGE, PAIRS, TURN

PAIRS_OF_PROMPT = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("pairs", pa.list_(pa.struct([PAIRS.field(n) for n in ("pair_id", "chosen_id", "rejected_id", "strength")]))),
    ]
)
"""The pairs of a prompt in one row."""

_CRITIQUED = [*PAIRS_OF_PROMPT.field("pairs").type.value_type, *((name, pa.string()) for name in CRITIQUE_COLUMNS)]
CRITIQUED_PAIRS_OF_PROMPT = pa.schema([("prompt_id", pa.string()), ("pairs", pa.list_(pa.struct(_CRITIQUED)))])
"""The same with critiques of both answers."""

PREFERENCES = pa.schema(
    [
        ("pair_id", pa.string()),
        ("prompt_id", pa.string()),
        ("source", pa.string()),
        ("language", pa.string()),
        ("images", pa.list_(IMAGE)),
        ("history", pa.list_(TURN)),
        ("question", pa.string()),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("strength", pa.float64()),
        ("chosen_origin", pa.string()),
        ("rejected_origin", pa.string()),
    ]
)
"""A pair that stands for itself, for people and other tools; `*_origin` says who wrote the answer. An image that has a
path has no bytes."""

CRITIQUED_PREFERENCES = pa.schema([*PREFERENCES, *((name, pa.string()) for name in CRITIQUE_COLUMNS)])
"""The same with critiques of both answers, null where nobody wrote one."""
