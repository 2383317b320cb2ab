"""The plain way to have rows answered by a pool of actors: Ray Data's own reader, mapper and writer."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.data import ActorPoolStrategy

from dt2it_ray.speed.stand_in import answer_after


class _Answerer:
    def __init__(self, service_s: float) -> None:
        self._service_s = service_s

    def __call__(self, batch: pa.Table) -> pa.Table:
        return answer_after(batch, self._service_s).rows


def answer_plainly(
    files: Sequence[str], output: str, service_s: float, actors: int, cpus: float, batch_rows: int
) -> Iterator[pa.Table]:
    """Have the rows of Parquet files answered into another folder; yields the moments of the calls, file by file."""
    compute: Any = ActorPoolStrategy(size=actors)
    answers = ray.data.read_parquet(list(files)).map_batches(
        _Answerer,
        fn_constructor_kwargs={"service_s": service_s},
        batch_size=batch_rows,
        batch_format="pyarrow",
        compute=compute,
        num_cpus=cpus,
    )
    answers.write_parquet(output)
    return (pq.read_table(file, columns=["began", "ended"]) for file in sorted(pathlib.Path(output).glob("*.parquet")))
