"""A stage whose vLLM engine is killed once, with the helpers to ask an engine and to find its processes."""

import os
from pathlib import Path

import psutil
import pyarrow as pa

from dt2it_ray.data.chat import user_turn
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.vllm.generator import VllmGenerator
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace
from tests.engine.toy import NUMBERS
from tests.models.vllm.checkpoints import SMALL
from tests.waiting import until

SHORT = SamplingSettings(max_new_tokens=4)
ANSWERS = pa.schema([("id", pa.string()), ("answer", pa.string())])


class Answering(Settings):
    """Which checkpoint answers, and where it is noted which processes opened an engine and that one was killed."""

    backbone: Backbone
    killed: str
    opened: str


def ask(vllm: VllmGenerator, *keys: str) -> list[str]:
    made = vllm.generate([GenerationRequest(key, (user_turn(f"What is {key}?", 0),), (), 1) for key in keys])
    return [one[0].text for one in made if isinstance(one, list) and isinstance(one[0], Completion)]


def engine_processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if _is_engine(child)]


def kill_engine() -> None:
    """End the engine's process. It may take a moment to bear its name."""
    children = psutil.Process().children(recursive=True)
    assert until(engine_processes), [child.as_dict(["pid", "name", "cmdline"]) for child in children]
    for process in engine_processes():
        process.kill()


def _is_engine(process: psutil.Process) -> bool:
    try:
        return "EngineCore" in " ".join(process.cmdline()) or "EngineCore" in process.name()
    except psutil.NoSuchProcess:
        # It has ended, and may still stand in the list until it is waited for.
        return False


def build_answering(settings: Answering, place: Workplace) -> BatchFn:
    vllm = VllmGenerator(settings.backbone, SMALL, SHORT)
    with Path(settings.opened).open("a") as notes:
        notes.write(f"{os.getpid()}\n")

    def answer(batch: pa.Table) -> Outcome:
        keys = batch["id"].to_pylist()
        if not Path(settings.killed).exists():
            Path(settings.killed).touch()
            kill_engine()
        return Outcome(pa.table({"id": keys, "answer": ask(vllm, *keys)}, schema=ANSWERS))

    return EngineFn(answer, vllm)


ANSWER = MapStage(name="answer", version=1, reads=NUMBERS, writes=ANSWERS, build=build_answering)
