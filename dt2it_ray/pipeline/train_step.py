"""How a train step is done: finished tables are files for the workers, and the manifest lists the model's files."""

import json
from collections.abc import Mapping
from typing import Any

from dt2it_ray.engine.telemetry import Reporter
from dt2it_ray.errors import StageFailed
from dt2it_ray.pipeline.map_step import Made
from dt2it_ray.pipeline.step_files import data_folder, list_files
from dt2it_ray.stages.stage import Step, TrainPlacement
from dt2it_ray.stages.train import FitSettings
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Counts, Manifest


def do_train(step: Step, run: Folder, inputs: Mapping[str, Manifest], reporter: Reporter) -> Made:
    """Train on Ray Train, or go on with a training that was interrupted.

    Raises:
        StageFailed: the run is in object storage, or the training failed.
    """
    from dt2it_ray.engine.ray_train import run_training

    if "://" in run.uri:
        raise StageFailed(f"step {step.name}: training needs a run folder that all workers mount, not {run.uri}")
    settings, placement = step.settings, step.placement
    assert isinstance(settings, FitSettings)
    assert isinstance(placement, TrainPlacement)
    output = data_folder(run, step)
    num_pairs = sum(file.rows for file in inputs["pairs"].files)
    reporter.start(step.name, num_pairs * settings.train.epochs, 0)
    job = {
        "settings": settings.train.model_dump(mode="json"),
        "name": step.name.removesuffix("/train"),
        "base": settings.backbone.path,
        "pairs_paths": _paths(step.inputs["pairs"], run, inputs["pairs"]),
        "rows_paths": _rows_paths(step, run, inputs),
        "output": output.uri,
    }
    run_training(job, placement)
    metrics = json.loads(output.read("summary.json")) if output.exists("summary.json") else {}
    return list_files(output), Counts(rows_in=num_pairs, rows_out=num_pairs), metrics


def _rows_paths(step: Step, run: Folder, inputs: Mapping[str, Manifest]) -> list[list[str]]:
    """Part files of each source of rows, with the part that holds their answers if that is another one."""
    pairs_of_files: list[list[str]] = []
    for name in step.inputs:
        kind, _, source = name.partition("/")
        if kind != "rows":
            continue
        rows = _paths(step.inputs[name], run, inputs[name])
        apart = f"answers/{source}"
        answers = _paths(step.inputs[apart], run, inputs[apart]) if apart in step.inputs else []
        pairs_of_files += [list(files) for files in zip(rows, answers, strict=True)] if answers else [[r] for r in rows]
    return pairs_of_files


def _paths(source: Step, run: Folder, manifest: Manifest) -> list[str]:
    data = data_folder(run, source)
    return [data.path(file.name) for file in manifest.files]


def training_metrics(output: Folder) -> dict[str, Any]:
    """The last line of the training log."""
    lines = output.read("train.jsonl").decode().splitlines()
    return json.loads(lines[-1]) if lines else {}
