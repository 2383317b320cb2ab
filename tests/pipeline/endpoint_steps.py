"""A step of the real stage `generate` with a server as its engine; as a script it runs until it is killed."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.settings import Settings
from dt2it_ray.stages.generate import GENERATE, GenerateSettings
from dt2it_ray.stages.stage import GatherStage, Outcome, Placement, Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest
from tests.engine.toy import reporter
from tests.stages.rows import prompt_row

SAMPLES = 2
PART_ROWS = 64


class Prompts(Settings):
    """How many prompts there are."""

    n: int


def list_prompts(tables: Mapping[str, pa.Table], settings: Prompts) -> Outcome:
    rows = [prompt_row(f"p{number:05d}") for number in range(settings.n)]
    return Outcome(pa.Table.from_pylist(rows, schema=PROMPTS))


LIST = GatherStage(name="prompts", version=1, reads={}, writes=PROMPTS, decide=list_prompts)


def answer_prompts(folder: Path, prompts: int, url: str, place: Mapping[str, Any] = {}, **endpoint: Any) -> Manifest:
    """Have the prompts answered, by default in this process; returns the manifest of `generate`."""
    run = Folder(str(folder / "run"))
    server = {"model": "m", "url": url, "longest_wait_s": 0.01, "max_concurrent": 4, **endpoint}
    engine = {"kind": "endpoint", "endpoint": server}
    settings = GenerateSettings.model_validate({"samples": SAMPLES, "engine": engine})
    source = Step(name="prompts", stage=LIST, settings=Prompts(n=prompts), part_rows=PART_ROWS)
    placement = Placement.model_validate({"batch_rows": 32, "max_dropped": 1.0, **place})
    step = Step(name="generate", stage=GENERATE, settings=settings, inputs={"rows": source}, placement=placement)
    run_step(source, run, reporter())
    return run_step(step, run, reporter())


if __name__ == "__main__":
    answer_prompts(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
