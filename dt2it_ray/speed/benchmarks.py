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
from dt2it_ray.speed.pairs import PROMPT_RATIO

VLLM_PROMPTS = 40
OF_SIZE = "not measured: --size asks for dummy weights alone"


@dataclass(frozen=True)
class Wanted:
    """What a person asks of the measurements; each looks at what concerns it."""

    rows: int | None = None
    """Replaces the number of rows where it is free."""
    model: str | None = None
    """Folder of the checkpoint for `vllm_loop`, which is left out without one, and for `train` and `score`
    in place of the tiny one; those ask text models without images."""
    images: bool = False
    """`vllm_loop` asks about an image each."""
    samples: int = 4
    """Answers to each prompt of `vllm_loop`."""
    tokens: int = 32
    """Most tokens of an answer of `vllm_loop`: on a CPU, 40 prompts with longer ones take very long."""
    prompt_ratio: float = PROMPT_RATIO
    """Tokens of a prompt for each of an answer, in `train` and `score`."""
    llama_factory: str | None = None
    """Python that has LLaMA-Factory, which `train` is then measured beside."""
    size: str | None = None
    """Measures dummy weights of this size in place of the rest of `train` and `score`."""
    device: str = "cpu"
    """Where dummy weights compute."""
    peak_tflops: float | None = None
    """What the device can do in a second, for the share of it that is used."""


Measurement = Callable[[Wanted], Any]


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


def _train(wanted: Wanted) -> Any:
    if wanted.size is not None:
        return OF_SIZE
    from dt2it_ray.speed.train import PAIRS, run_train_speed

    return run_train_speed(wanted.rows or PAIRS, **_asked(wanted))


def _llama_factory(wanted: Wanted) -> Any:
    if wanted.llama_factory is None or wanted.size is not None:
        return "not measured: it needs --llama-factory PYTHON, an interpreter that has LLaMA-Factory"
    from dt2it_ray.speed.llama_factory import run_beside_llama_factory

    return run_beside_llama_factory(wanted.llama_factory, *((wanted.rows,) if wanted.rows else ()))


def _score(wanted: Wanted) -> Any:
    if wanted.size is not None:
        return OF_SIZE
    from dt2it_ray.speed.score import PROMPTS, run_score_speed

    return run_score_speed(wanted.rows or PROMPTS, **_asked(wanted))


def _asked(wanted: Wanted) -> dict[str, Any]:
    """What pairs are like, and on which model: a text model is asked without images."""
    if wanted.model is None:
        return {"ratio": wanted.prompt_ratio}
    from dt2it_ray.models.collate import sees_images

    return {"ratio": wanted.prompt_ratio, "base": wanted.model, "with_images": sees_images(wanted.model)}


def _true_size(answers: int, trains: bool) -> Measurement:
    def run(wanted: Wanted) -> Any:
        if wanted.size is None:
            return "not measured: it needs --size 8b --device cuda, or --size tiny to try it"
        from dt2it_ray.speed.true_size import run_true_size

        return run_true_size(wanted.size, wanted.device, answers, trains, wanted.peak_tflops, wanted.rows or 16)

    return run


SUBJECTS: Mapping[str, Mapping[str, Measurement]] = {
    "construct": {"stage_pool": _stage_pool, "driver_memory": _driver_memory, "vllm_loop": _vllm_loop},
    "t2i": {"t2i": _t2i},
    "ingest": {"ingest": _ingest},
    "train": {"train": _train, "llama_factory": _llama_factory, "true_size": _true_size(2, trains=True)},
    "score": {"score": _score, "true_size": _true_size(4, trains=False)},
}
"""Measurements by subject. Each imports what it needs when it runs."""
