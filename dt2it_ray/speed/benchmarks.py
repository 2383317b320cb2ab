"""Which measurements there are, under which word, and how each is started."""

import datetime
import importlib.util
import os
import platform
from collections.abc import Callable, Mapping
from typing import Any

import psutil

from dt2it_ray.errors import ConfigError

VLLM_PROMPTS = 320


def measure(subject: str, rows: int | None = None, only: str | None = None, model: str | None = None) -> dict[str, Any]:
    """Figures of a subject by measurement, and of the machine they were taken on.

    `rows` replaces the number of rows where it is free; `only` names a single measurement; `model` is the folder of
    the checkpoint for `vllm_loop`, which is left out without one.

    Raises:
        ConfigError: the subject has no measurement of that name.
    """
    measurements = SUBJECTS[subject]
    if only is not None and only not in measurements:
        raise ConfigError(f"{subject} has no measurement {only!r}; it has {list(measurements)}")
    chosen = measurements if only is None else {only: measurements[only]}
    return {"machine": machine(), **{name: run(rows, model) for name, run in chosen.items()}}


def machine() -> dict[str, Any]:
    """What a figure needs beside it to mean something."""
    return {
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }


def _stage_pool(rows: int | None, model: str | None) -> dict[str, Any]:
    from dt2it_ray.speed.stage_pool import run_stage_pool

    return run_stage_pool(rows) if rows else run_stage_pool()


def _driver_memory(rows: int | None, model: str | None) -> dict[str, Any]:
    from dt2it_ray.speed.driver_memory import run_driver_memory

    return run_driver_memory()


def _vllm_loop(rows: int | None, model: str | None) -> Any:
    if model is None or importlib.util.find_spec("vllm") is None:
        return "not measured: it needs vLLM and --model FOLDER"
    from dt2it_ray.speed.stand_in import questions
    from dt2it_ray.speed.vllm_loop import run_vllm_loop

    return run_vllm_loop(model, questions(rows or VLLM_PROMPTS))


def _t2i(rows: int | None, model: str | None) -> dict[str, Any]:
    from dt2it_ray.speed.t2i import run_t2i

    return run_t2i(rows) if rows else run_t2i()


Measurement = Callable[[int | None, str | None], Any]
SUBJECTS: Mapping[str, Mapping[str, Measurement]] = {
    "construct": {"stage_pool": _stage_pool, "driver_memory": _driver_memory, "vllm_loop": _vllm_loop},
    "t2i": {"t2i": _t2i},
}
"""Measurements by subject. Each imports what it needs when it runs."""
