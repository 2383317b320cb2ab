"""How busy a pool of actors is kept by a map step, beside plain Ray Data on the same rows.

Busy share: the seconds that all actors spent in their engine, of those that they had.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dt2it_ray.engine.session import ray_session
from dt2it_ray.engine.telemetry import Lines
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.speed.plain_pool import answer_plainly
from dt2it_ray.speed.stand_in import EngineTime, RowsSettings, rows_step, stand_in_step
from dt2it_ray.stages.stage import Placement
from dt2it_ray.store.files import Folder

ACTORS = 4
BATCH_ROWS = 64
PLAIN_ROWS = 20_000
"""Of the rows, those that plain Ray Data is given: one actor of its four works, which takes long."""
CPUS = 0.25
"""Of each actor: they sleep, so that four of them fit on any machine."""


def run_stage_pool(rows: int = 200_000, service_s: float = 0.12) -> dict[str, Any]:
    """Busy shares and seconds of a map step and of plain Ray Data: `ACTORS` actors, `BATCH_ROWS` rows a call."""
    reporter = Lines(sys.stderr)
    placement = Placement(engine="ray", workers=ACTORS, cpus=CPUS, batch_rows=BATCH_ROWS)
    source = rows_step(RowsSettings(rows=rows))
    step = stand_in_step(source, EngineTime(service_s=service_s), placement)
    with tempfile.TemporaryDirectory() as folder, ray_session():
        run = Folder(folder)
        made = run_step(source, run, reporter)
        began = time.time()
        answers = run_step(step, run, reporter)
        ours = {"wall_s": time.time() - began, "calls": answers.metrics["calls"]}
        data = answers.data(run)
        ours |= told_by_calls(data.read_table(file.name, ["began", "ended"]) for file in answers.files)
        few = made.files[: -(-PLAIN_ROWS // made.files[0].rows)]
        files = [made.data(run).path(file.name) for file in few]
        began = time.time()
        times = answer_plainly(files, f"{folder}/plain", service_s, ACTORS, CPUS, BATCH_ROWS)
        plain = {"rows": sum(file.rows for file in few), "wall_s": time.time() - began, **told_by_calls(times)}
    return {
        "rows": rows,
        "actors": ACTORS,
        "batch_rows": BATCH_ROWS,
        "service_s": service_s,
        "ideal_s": -(-rows // BATCH_ROWS) * service_s / ACTORS,
        "map_step": ours,
        "plain_ray_data": plain,
    }


def told_by_calls(tables: Iterator[pa.Table], actors: int = ACTORS) -> dict[str, float]:
    """What the moments at which calls began and ended come to. Calls are told apart by their moments."""
    moments = (zip(table["began"].to_pylist(), table["ended"].to_pylist(), strict=True) for table in tables)
    calls = set(itertools.chain.from_iterable(moments))
    first, last = min(began for began, _ in calls), max(ended for _, ended in calls)
    busy_s = sum(ended - began for began, ended in calls)
    return {"mapping_s": last - first, "busy_s": busy_s, "busy_share": busy_s / (actors * (last - first))}
