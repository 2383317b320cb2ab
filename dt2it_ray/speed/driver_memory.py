"""How much memory the process that drives a map step takes, by the number of rows that pass its actors."""

import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from dt2it_ray.engine.session import ray_session
from dt2it_ray.engine.telemetry import Lines
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.speed.stand_in import EngineTime, RowsSettings, rows_step, stand_in_step
from dt2it_ray.stages.stage import Placement
from dt2it_ray.store.files import Folder

SIZES = (10_000, 100_000, 1_000_000)
PLACEMENT = Placement(engine="ray", workers=2, cpus=0.5, batch_rows=256)


def run_driver_memory(sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Peak memory in MiB of the driver alone, by rows: without images, in a fresh process each."""
    peaks = {str(rows): _peak_of(rows) for rows in sizes}
    first, *_, last = peaks.values()
    return {"by_rows": peaks, "grown_mib": round(last["peak_mib"] - first["peak_mib"], 1)}


def _peak_of(rows: int) -> dict[str, float]:
    settings = RowsSettings(rows=rows, image_bytes=0)
    with tempfile.TemporaryDirectory() as folder:
        run_step(rows_step(settings), Folder(folder), Lines(sys.stderr))
        # A forked process would begin with the memory of this one.
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            return pool.submit(drive_answers, folder, settings).result()


def drive_answers(folder: str, settings: RowsSettings) -> dict[str, float]:
    """Have the rows of a folder answered; returns the peak of this process before the step and after it."""
    step = stand_in_step(rows_step(settings), EngineTime(service_s=0), PLACEMENT)
    with ray_session():
        before = peak_mib()
        run_step(step, Folder(folder), Lines(sys.stderr))
        return {"before_mib": before, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The highest resident memory that Linux has seen of this process since it began."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return round(int(status["VmHWM"].split()[0]) / 1024, 1)
