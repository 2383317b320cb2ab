"""Which measurements there are, under which word, and how each is started."""

import datetime
import importlib.util
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.model_settings import SamplingSettings

VLLM_PROMPTS = 40


@dataclass(frozen=True)
class Wanted:
    """What a person asks of the measurements; each looks at what concerns it."""

    rows: int | None = None
    """Replaces the number of rows where it is free."""
    model: str | None = None
    """Folder of the checkpoint for `vllm_loop`, which is left out without one."""
    images: bool = False
    """`vllm_loop` asks about an image each."""
    samples: int = 4
    """Answers to each prompt of `vllm_loop`."""
    tokens: int = 32
    """Most tokens of an answer of `vllm_loop`: on a CPU, 40 prompts with longer ones take very long."""


def measure(subject: str, only: str | None = None, wanted: Wanted = Wanted()) -> dict[str, Any]:
    """Figures of a subject by measurement, and of the machine they were taken on. `only` names a single measurement.

    Raises:
        ConfigError: the subject has no measurement of that name, or a measurement cannot be taken as wanted.
    """
    measurements = SUBJECTS[subject]
    if only is not None and only not in measurements:
        raise ConfigError(f"{subject} has no measurement {only!r}; it has {list(measurements)}")
    chosen = measurements if only is None else {only: measurements[only]}
    return {"machine": machine(), **{name: run(wanted) for name, run in chosen.items()}}


def machine() -> dict[str, Any]:
    """What a figure needs beside it to mean something."""
    return {
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }


def _stage_pool(wanted: Wanted) -> dict[str, Any]:
    from dt2it_ray.speed.stage_pool import run_stage_pool

    return run_stage_pool(wanted.rows) if wanted.rows else run_stage_pool()


def _driver_memory(wanted: Wanted) -> dict[str, Any]:
    from dt2it_ray.speed.driver_memory import run_driver_memory

    return run_driver_memory()


def _vllm_loop(wanted: Wanted) -> Any:
    if wanted.model is None or importlib.util.find_spec("vllm") is None:
        return "not measured: it needs vLLM and --model FOLDER"
    from dt2it_ray.speed import vllm_loop

    asked = vllm_loop.requests(wanted.rows or VLLM_PROMPTS, wanted.samples, wanted.images)
    return vllm_loop.run_vllm_loop(wanted.model, asked, SamplingSettings(max_new_tokens=wanted.tokens))


def _t2i(wanted: Wanted) -> dict[str, Any]:
    from dt2it_ray.speed.t2i import run_t2i

    return run_t2i(wanted.rows) if wanted.rows else run_t2i()


def _ingest(wanted: Wanted) -> dict[str, Any]:
    from dt2it_ray.speed.ingest import run_ingest_speed

    return run_ingest_speed(wanted.rows) if wanted.rows else run_ingest_speed()


Measurement = Callable[[Wanted], Any]
SUBJECTS: Mapping[str, Mapping[str, Measurement]] = {
    "construct": {"stage_pool": _stage_pool, "driver_memory": _driver_memory, "vllm_loop": _vllm_loop},
    "t2i": {"t2i": _t2i},
    "ingest": {"ingest": _ingest},
}
"""Measurements by subject. Each imports what it needs when it runs."""
