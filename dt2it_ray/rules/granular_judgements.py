"""Granular ratings in the form of judgements, so that raters are measured as judges are."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.attributes import ATTRIBUTES, QUALITY
from dt2it_ray.rules.raters import RATE


def judgements_of(ratings: pa.Table, attribute: str | None = None) -> pa.Table:
    """One judgement per row of RATINGS (prompt_id, judge, order, ratings), whose overall scores are the values of an
    attribute, or without one the quality, 0 to 12 points."""
    rows = ratings.combine_chunks()
    lists = pa.concat_arrays([pa.array([], rows.schema.field("ratings").type), *rows["ratings"].chunks])
    rated = lists.flatten()
    values = np.asarray(rated.field("values").flatten(), np.int64).reshape(-1, len(ATTRIBUTES))
    counted = [ATTRIBUTES.index(name) for name in (QUALITY if attribute is None else (attribute,))]
    overalls = pa.array(values[:, counted].sum(axis=1).astype(np.float64))
    assessed = pa.StructArray.from_arrays([rated.field("answer_id"), overalls], ["answer_id", "overall"])
    sizes = np.asarray(pc.list_value_length(lists), np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    columns = {
        "prompt_id": rows["prompt_id"],
        "judge": rows["judge"],
        "mode": pa.array([RATE] * rows.num_rows, pa.string()),
        "shown": pa.array(np.zeros(rows.num_rows, np.int64)),
        "order": rows["order"],
        "assessments": pa.ListArray.from_arrays(ends, assessed),
    }
    return pa.table(columns)
