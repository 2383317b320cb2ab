"""Which measurements there are, under which word, and how each is started."""

import datetime
import importlib
import importlib.util
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

MEASUREMENTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "construct": (
        ("stage_pool", "run_stage_pool"),
        ("driver_memory", "run_driver_memory"),
        ("vllm_loop", "run_vllm_loop"),
    ),
    "t2i": (("t2i", "run_t2i"),),
}
"""By subject: the modules beside this one, and the functions in them that measure."""
NEEDS = {"vllm_loop": "vllm"}
"""Packages that a measurement cannot do without; where they are not installed, it is left out."""
SIZED = ("stage_pool", "t2i")
"""Those that can be told how many rows to take."""


def measure(subject: str, rows: int | None = None, only: str | None = None) -> dict[str, Any]:
    """Figures of a subject by measurement, and of the machine they were taken on.

    `rows` replaces the number of rows of those in `SIZED`; `only` names a single measurement.
    """
    figures: dict[str, Any] = {"machine": machine()}
    for name, function in MEASUREMENTS[subject]:
        if only not in (None, name):
            continue
        if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
            figures[name] = f"not measured: {NEEDS[name]} is not installed"
            continue
        run = getattr(importlib.import_module(f"dt2it_ray.speed.{name}"), function)
        figures[name] = run(rows=rows) if rows and name in SIZED else run()
    return figures


def machine() -> dict[str, Any]:
    """What a figure needs beside it to mean something."""
    return {
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }
