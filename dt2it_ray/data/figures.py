"""Which columns the tables of measured biases have: style of answers, trust in judges, style against labels."""

import pyarrow as pa

STYLE_FEATURES = pa.schema(
    [
        ("answer_id", pa.string()),
        ("prompt_id", pa.string()),
        ("origin", pa.string()),
        ("characters", pa.int32()),
        ("words", pa.int32()),
        ("sentences", pa.int32()),
        ("headings", pa.int32()),
        ("bold", pa.int32()),
        ("code", pa.int32()),
        ("list_items", pa.int32()),
        ("hedges", pa.int32()),
        ("first_person", pa.int32()),
        ("refusals", pa.int32()),
        ("exclamations", pa.int32()),
        ("mean_word_length", pa.float64()),
        ("han_share", pa.float64()),
    ]
)
"""How one answer is written, whatever it says. `origin` is who wrote it (null where nobody tells)."""

ESTIMATE = (
    ("value", pa.float64()),
    ("low", pa.float64()),
    ("high", pa.float64()),
    ("interval", pa.string()),
    ("n", pa.int64()),
    ("prompts", pa.int64()),
    ("note", pa.string()),
)
"""Columns of a figure with its interval and how that was made; `note` says why a value or an interval is null."""

RELIABILITY = pa.schema(
    [
        ("figure_id", pa.string()),
        ("figure", pa.string()),
        ("source", pa.string()),
        ("mode", pa.string()),
        ("judge", pa.string()),
        ("other_mode", pa.string()),
        ("other_judge", pa.string()),
        *ESTIMATE,
    ]
)
"""One figure of one judge, of two of them, or of all (`judge` null); `source` is empty for all prompts together."""

PROBES = pa.schema(
    [
        ("probe_id", pa.string()),
        ("pair_set", pa.string()),
        ("source", pa.string()),
        ("figure", pa.string()),
        ("feature", pa.string()),
        *ESTIMATE,
    ]
)
"""How well style tells the label of one set of pairs; `feature` is null where the figure is not of a single one."""
