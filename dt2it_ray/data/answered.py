"""Which columns outside rows have that are only scored, and what scoring makes of them."""

import pyarrow as pa

from dt2it_ray.data.ingested import INGESTED

PLACE = ("row_id", "file", "row", "item")
"""The columns that say which row of the source it is."""
SHOWN = ("images", "history", "question")
"""The columns that say what is asked."""

ANSWERED = pa.schema([*(INGESTED.field(name) for name in (*PLACE, *SHOWN)), ("answers", pa.list_(pa.string()))])
"""A prompt with answers to score, in the order of its row."""

SCORED = pa.schema(
    [
        *(INGESTED.field(name) for name in PLACE),
        ("rewards", pa.list_(pa.float64())),
        ("disagreement", pa.list_(pa.float64())),
        ("critiques", pa.list_(pa.list_(pa.string()))),
    ]
)
"""The rewards of a row's answers in their order; of a pair, the better one's first. `disagreement` is the standard
deviation between the models of an ensemble, null where one model scored; `critiques` has by answer what the models
read behind it, each text once, null where no model reads any."""
