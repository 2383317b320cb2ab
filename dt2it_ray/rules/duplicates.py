"""Which rows of a data set repeat an earlier one, or contradict it."""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.ingested import REFUSED_ROWS
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.alike import BETWEEN, Nearness, image_groups, question_groups

Within = Literal["pair", "prompt"]
Contradictions = Literal["drop", "keep_first"]


def find_repeats(rows: pa.Table, within: Within, contradictions: Contradictions, near: Nearness) -> pa.Table:
    """The rows of ROW_KEYS that are not to go on, as REFUSED_ROWS, whatever the order of the rows.

    Of rows that say the same the one with the lowest id stays. `pair` compares prompt and answers, `prompt` the prompt
    alone. Pairs of one prompt that prefer opposite answers are all dropped, or all but those that agree with the
    first.
    """
    ordered = rows.sort_by("row_id")
    prompts = _prompt_groups(ordered, near)
    if within == "prompt":
        return _repeated(ordered["row_id"], _codes(prompts))
    pairs = _joined(prompts, ordered["answers_key"].combine_chunks())
    lower_first = ordered["lower_first"].to_numpy()
    pair_codes = _codes(pairs)
    disputed = _contradicted(ordered["row_id"], pair_codes, lower_first, contradictions)
    left = np.flatnonzero(~np.isin(np.arange(len(pair_codes)), disputed.place))
    repeated = _repeated(ordered["row_id"].take(pa.array(left)), pair_codes[left])
    return pa.concat_tables([disputed.rows, repeated])


class _Disputed(NamedTuple):
    """Places of contradicted rows, and what is told of them."""

    place: np.ndarray
    rows: pa.Table


def _contradicted(
    row_ids: pa.ChunkedArray, codes: np.ndarray, lower_first: np.ndarray, contradictions: Contradictions
) -> _Disputed:
    first, inverse = _firsts(codes)
    opposes = lower_first != lower_first[first][inverse]
    disputed = np.zeros(len(first), dtype=bool)
    disputed[inverse[opposes]] = True
    place = np.flatnonzero(opposes if contradictions == "keep_first" else disputed[inverse])
    against = first[inverse[place]]
    return _Disputed(place, _refused(row_ids, place, against, DropReason.PAIR_CONTRADICTED, "prefers another answer"))


def _repeated(row_ids: pa.ChunkedArray, codes: np.ndarray) -> pa.Table:
    first, inverse = _firsts(codes)
    place = np.flatnonzero(first[inverse] != np.arange(len(codes)))
    return _refused(row_ids, place, first[inverse[place]], DropReason.ROW_REPEATED, "says the same")


def _refused(row_ids: pa.ChunkedArray, place: np.ndarray, other: np.ndarray, reason: str, told: str) -> pa.Table:
    ids = row_ids.combine_chunks()
    others = ids.take(pa.array(other))
    detail = pc.binary_join_element_wise("whole row: ", others, f" {told}", "")
    columns = [ids.take(pa.array(place)), pa.array([str(reason)] * len(place), pa.string()), detail]
    return pa.table(columns, schema=REFUSED_ROWS)


def _prompt_groups(rows: pa.Table, near: Nearness) -> pa.Array:
    images = image_groups(rows["image_keys"], rows["looks"], near)
    return _joined(images, question_groups(rows["question_key"], rows["signature"], near))


def _joined(one: pa.Array, other: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(one, other, BETWEEN * 2)


def _codes(values: pa.Array) -> np.ndarray:
    return values.dictionary_encode().indices.to_numpy()


def _firsts(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first place of each distinct code, and for each place which code it has."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return first, inverse
