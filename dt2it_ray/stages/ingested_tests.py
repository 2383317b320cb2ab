"""How ingested preferences become rows of a benchmark of one's own, a pair in each."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from dt2it_ray.data.ids import answer_id, content_id, pair_id
from dt2it_ray.data.ingested import INGESTED
from dt2it_ray.data.schema import BENCHMARK_ROWS
from dt2it_ray.stages.ingested import parts_of
from dt2it_ray.stages.stage import LoadStage, NoSettings, Outcome
from dt2it_ray.store.files import Folder


def load_ingested_tests(folders: Mapping[str, Folder], settings: NoSettings) -> Iterator[Outcome]:
    """Rows of BENCHMARK_ROWS, whose `source` is the NAME of their input `rows/NAME`. Answers are in order of their ids,
    so that their place says nothing."""
    for name in sorted(folders):
        benchmark, read = name.partition("/")[2], 0
        for part in parts_of(folders[name]):
            made = [_row(benchmark, row) for row in folders[name].read_table(part, INGESTED.names).to_pylist()]
            read += len(made)
            yield Outcome(pa.Table.from_pylist(made, schema=BENCHMARK_ROWS), metrics={f"rows.{benchmark}": read})


def _row(benchmark: str, row: Mapping[str, Any]) -> dict[str, Any]:
    # Each pair is scored for itself: a prompt may stand in several.
    key = content_id("test", benchmark, row["row_id"])
    chosen, rejected = ({"answer_id": answer_id(key, text), "text": text} for text in (row["chosen"], row["rejected"]))
    label = {
        "pair_id": pair_id(benchmark, chosen["answer_id"], rejected["answer_id"]),
        "chosen_id": chosen["answer_id"],
        "rejected_id": rejected["answer_id"],
        "planted_flip": None,
    }
    return {
        **{name: row[name] for name in ("category", "language", "images", "history", "question", "reference")},
        "prompt_id": key,
        "source": benchmark,
        "category": row["category"] or "",
        "scene": None,
        "answers": sorted((chosen, rejected), key=lambda answer: answer["answer_id"]),
        "labels": [label],
        "item": row["item"] or row["row_id"],
        "group": row["prompt_id"],
    }


LOAD_INGESTED_TESTS = LoadStage(name="ingested_tests", version=1, writes=BENCHMARK_ROWS, load=load_ingested_tests)
