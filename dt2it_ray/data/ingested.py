"""Which columns outside preferences have once they are read and checked, and by what they are told apart."""

import pyarrow as pa

from dt2it_ray.data.schema import PROMPTS

INGESTED = pa.schema(
    [
        ("row_id", pa.string()),
        ("pair_id", pa.string()),
        *(PROMPTS.field(name) for name in ("prompt_id", "source")),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("item", pa.string()),
        *(PROMPTS.field(name) for name in ("category", "language", "images", "history", "question")),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("strength", pa.float64()),
        ("reference", pa.string()),
        ("chosen_origin", pa.string()),
        ("rejected_origin", pa.string()),
        ("chosen_critique", pa.string()),
        ("rejected_critique", pa.string()),
    ]
)
"""A preference of an outside data set, the better answer first. `row_id` says where it stood (`file` and `row`, and its
place if the row holds several), so that it is unique and sorts in the order of the source; `item` is the row's own id.
`strength` is in the source's unit; `*_critique` is what somebody wrote of the answer, if the row has it. An image that
was not embedded has null bytes."""

QUESTION_KEYS = pa.schema(
    [
        ("question_key", pa.string()),
        ("signature", pa.binary()),
        ("image_keys", pa.list_(pa.string())),
        ("looks", pa.list_(pa.uint64())),
    ]
)
"""By what two prompts are found alike: the question's normalised text and its MinHash signature (null where none was
made), and per image a name of its content and its perceptual hash (null where it was not opened, or is blank)."""

ROW_KEYS = pa.schema(
    [
        INGESTED.field("row_id"),
        *QUESTION_KEYS,
        ("answers_key", pa.string()),
        ("lower_first", pa.bool_()),
    ]
)
"""The keys of a preference. `answers_key` names its two answers in either order; `lower_first` tells the order."""

BENCHMARK_KEYS = pa.schema([("key", pa.string()), ("benchmark", pa.string()), *QUESTION_KEYS])
"""The keys of a row of a benchmark. One that an evaluation cannot use has no question here."""

KEYED = pa.schema([*INGESTED, *(field for field in ROW_KEYS if field.name != "row_id")])
"""Preferences while their duplicates are looked for."""

REFUSED_ROWS = pa.schema([("row_id", pa.string()), ("reason", pa.string()), ("detail", pa.string())])
"""Which preferences are not to go on, and why."""
