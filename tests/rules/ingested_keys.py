"""Crafted key tables of ingested rows and benchmarks."""

from typing import Any

import pyarrow as pa

from dt2it_ray.data.ingested import BENCHMARK_KEYS, ROW_KEYS
from dt2it_ray.rules.minhash import signature_of

LOOK = 0x0F0F_3C3C_5A5A_9999


def row_keys(row_id: str, question: str = "what", **fields: Any) -> dict[str, Any]:
    """A row about one image, with equal answers unless told otherwise."""
    row = {
        "row_id": row_id,
        "question_key": question,
        "signature": signature_of(question, 4, 64),
        "image_keys": ["i1"],
        "looks": [LOOK],
        "answers_key": "a",
        "lower_first": True,
    }
    return row | fields


def rows_of(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ROW_KEYS)


def benchmark_of(*rows: dict[str, Any]) -> pa.Table:
    keyed = [{"key": str(place), "benchmark": "b", **row} for place, row in enumerate(rows)]
    return pa.Table.from_pylist(keyed, schema=BENCHMARK_KEYS)


def refused(table: pa.Table) -> dict[str, str]:
    """Reasons by row."""
    assert len(set(table["row_id"].to_pylist())) == table.num_rows
    return dict(zip(table["row_id"].to_pylist(), table["reason"].to_pylist(), strict=True))
