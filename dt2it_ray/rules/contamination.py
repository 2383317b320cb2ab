"""Which rows of a data set stand in a benchmark, so that a model trained on them would have seen its questions."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.ingested import REFUSED_ROWS
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.alike import Nearness, as_signatures, distinct_looks
from dt2it_ray.rules.minhash import have_alike
from dt2it_ray.rules.perceptual_hash import have_close_looks

Match = Literal["image", "question", "either", "both"]


def find_contaminated(rows: pa.Table, benchmarks: Mapping[str, pa.Table], match: Match, near: Nearness) -> pa.Table:
    """The rows (ROW_KEYS) that share an image or a question with a benchmark (BENCHMARK_KEYS), as REFUSED_ROWS.

    `image`: they share an image; rows without images are matched by their question with benchmark rows that have none
    either. `question`: they ask the same. `either`, `both`: of the two. A row in several benchmarks names the first.
    """
    found: list[pa.Table] = []
    for name, benchmark in sorted(benchmarks.items()):
        hit = _hits(rows, benchmark, match, near)
        ids = rows["row_id"].filter(pa.array(hit))
        detail = pa.array([f"whole row: stands in the benchmark {name}"] * len(ids), pa.string())
        reason = pa.array([str(DropReason.IN_BENCHMARK)] * len(ids), pa.string())
        found.append(pa.table([ids, reason, detail], schema=REFUSED_ROWS))
        rows = rows.filter(pa.array(~hit))
    return pa.concat_tables([REFUSED_ROWS.empty_table(), *found])


def _hits(rows: pa.Table, benchmark: pa.Table, match: Match, near: Nearness) -> np.ndarray:
    images = _shares_image(rows, benchmark, near)
    if match == "image":
        bare = pc.equal(pc.list_value_length(benchmark["image_keys"]), 0)
        without = pc.equal(pc.list_value_length(rows["image_keys"]), 0).to_numpy()
        return images | (without & _shares_question(rows, benchmark.filter(bare), near))
    questions = _shares_question(rows, benchmark, near)
    return {"question": questions, "either": images | questions, "both": images & questions}[match]


def _shares_image(rows: pa.Table, benchmark: pa.Table, near: Nearness) -> np.ndarray:
    names = pc.list_flatten(benchmark["image_keys"].combine_chunks())
    hit = pc.is_in(pc.list_flatten(rows["image_keys"].combine_chunks()), value_set=names).to_numpy(zero_copy_only=False)
    if near.look_bits is not None:
        looks = pc.list_flatten(rows["looks"].combine_chunks())
        known = distinct_looks(pc.list_flatten(benchmark["looks"].combine_chunks()))
        mine = distinct_looks(looks)
        close = mine[have_close_looks(mine, known, near.look_bits)]
        hit = hit | pc.is_in(looks, value_set=pa.array(close, pa.uint64()), skip_nulls=True).to_numpy(
            zero_copy_only=False
        )
    owners = pc.list_parent_indices(rows["image_keys"].combine_chunks()).to_numpy()
    shares = np.zeros(rows.num_rows, dtype=bool)
    shares[owners[hit]] = True
    return shares


def _shares_question(rows: pa.Table, benchmark: pa.Table, near: Nearness) -> np.ndarray:
    # Of rows that could not be read only the images are known.
    benchmark = benchmark.filter(pc.is_valid(benchmark["question_key"]))
    same = pc.is_in(rows["question_key"], value_set=benchmark["question_key"].combine_chunks()).to_numpy()
    if near.question_alike is None or not rows.num_rows or not benchmark.num_rows:
        return same
    mine = as_signatures(rows["signature"].combine_chunks())
    known = as_signatures(benchmark["signature"].combine_chunks())
    return same | have_alike(mine, known, near.question_alike)
