"""Which columns granular ratings have (arXiv 2402.10884), the choices that follow, and the training sets of those."""

import pyarrow as pa

from dt2it_ray.data.schema import IMAGE, TURN

RATING = pa.struct([("answer_id", pa.string()), ("values", pa.list_(pa.int64())), ("characters", pa.int64())])
"""One answer as one rater saw it: its values in the order of the attributes, and how long it is."""

RATINGS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("judge", pa.string()),
        ("order", pa.list_(pa.string())),
        ("ratings", pa.list_(RATING)),
        ("attempts", pa.int64()),
        ("faults", pa.list_(pa.string())),
    ]
)
"""The granular ratings (arXiv 2402.10884) that one rater gave the answers of a prompt, in the order shown. `faults` are
codes of `Fault`, as in JUDGEMENTS."""

GRADED = pa.struct([("answer_id", pa.string()), ("values", pa.list_(pa.float64())), ("quality", pa.float64())])
"""One answer with its values, means over the raters, and the sum of those that make its quality."""

CHOICES = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("graded", pa.list_(GRADED)),
        ("chosen_id", pa.string()),
        ("rejected_id", pa.string()),
        ("gap", pa.float64()),
    ]
)
"""What follows from the ratings of a prompt: its best answer, and the one rejected for it with the gap between their
qualities. These two are null where no answer is far enough below the best."""

EXAMPLE = pa.struct(
    [
        ("set", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("rejected", pa.string()),
        ("margin", pa.float64()),
    ]
)
"""What a training set takes from a prompt: the question as that set asks it, an answer, and where the set prefers
answers the rejected one with the gap between their qualities."""

TEACHINGS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("source", pa.string()),
        ("images", pa.list_(IMAGE)),
        ("history", pa.list_(TURN)),
        ("examples", pa.list_(EXAMPLE)),
    ]
)
"""All examples that follow from a rated prompt, with its images once. An image that has a path has no bytes."""
