"""Which columns the narrow tables of the construction have that say something of single answers, or of a prompt's."""

import pyarrow as pa

from dt2it_ray.data.figures import ESTIMATE

ANSWER_FACTS = pa.schema(
    [
        ("answer_id", pa.string()),
        ("prompt_id", pa.string()),
        ("characters", pa.int64()),
        ("origin", pa.string()),
        ("duplicate_of", pa.string()),
    ]
)
"""What pair forming knows of an answer besides its scores. `duplicate_of` names the answer of the same prompt that it
nearly equals and that stays in its place; null where there is none."""

NEEDS = pa.schema(
    [("prompt_id", pa.string()), ("need", pa.string()), ("lowest", pa.float64()), ("highest", pa.float64())]
)
"""What the sampled answers to a prompt lack: `worse` ones, `better` ones, or nothing (`none`), by their overalls."""

PLANTED_GRADES = pa.schema([("answer_id", pa.string()), ("prompt_id", pa.string()), ("quality", pa.float64())])
"""How good an answer truly is, from 0 to 10: embedded world only, where the truth is planted."""

LABEL_TRUTH = pa.schema(
    [("pair_id", pa.string()), ("prompt_id", pa.string()), ("truth", pa.string()), ("margin", pa.float64())]
)
"""Whether a pair's chosen answer is truly `better`, `equal` or `worse`, and by how much (embedded world only)."""

LABEL_CONTRASTS = pa.schema(
    [
        ("contrast_id", pa.string()),
        ("first", pa.string()),
        ("second", pa.string()),
        ("world", pa.string()),
        ("figure", pa.string()),
        *ESTIMATE,
        ("p_value", pa.float64()),
    ]
)
"""A share of right labels of the second construction minus that of the first; `world` is empty for all together."""
