"""How the pairs of a prompt are laid beside it: one row per prompt with a list of its pairs."""

import numpy as np
import pyarrow as pa


def group_by_prompt(pairs: pa.Table, schema: pa.Schema) -> pa.Table:
    """One row of `schema` (`prompt_id`, `pairs`) per prompt that has pairs, sorted; its pairs are in the order of their
    ids and keep the fields that `schema` names."""
    fields = schema.field("pairs").type.value_type
    ordered = pairs.sort_by([("prompt_id", "ascending"), ("pair_id", "ascending")]).combine_chunks()
    structs = pa.StructArray.from_arrays(
        [ordered[field.name].combine_chunks().cast(field.type) for field in fields], fields=list(fields)
    )
    prompts = ordered["prompt_id"].combine_chunks()
    first = np.ones(len(prompts), bool)
    if len(prompts) > 1:
        first[1:] = np.asarray(prompts)[1:] != np.asarray(prompts)[:-1]
    starts = np.flatnonzero(first)
    lists = pa.ListArray.from_arrays(pa.array([*starts, len(prompts)], pa.int32()), structs)
    return pa.table({"prompt_id": prompts.take(pa.array(starts)), "pairs": lists}, schema=schema)
