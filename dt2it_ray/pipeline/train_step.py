"""How a train step is done: finished tables are files for the workers, and the manifest lists the model's files."""

import contextlib
import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.engine.telemetry import Reporter
from dt2it_ray.models.train_log import SUMMARY, read_refused_pairs, read_training_log
from dt2it_ray.pipeline.map_step import Made
from dt2it_ray.pipeline.step_files import data_folder, list_files
from dt2it_ray.stages.adapt import AdaptFitSettings
from dt2it_ray.stages.stage import Step, TrainPlacement
from dt2it_ray.stages.train import FitSettings
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Counts, Manifest, PartFile
from dt2it_ray.store.parts import DROPPED, part_name

MODEL_FOLDER = "model"
"""Where in the folder of a train step the finished model is."""
LOOK_EVERY_S = 2.0
"""How often the training log is read for progress."""


def do_train(step: Step, run: Folder, inputs: Mapping[str, Manifest], reporter: Reporter) -> Made:
    """Train on Ray Train, or go on with a training that was interrupted.

    Raises:
        StageFailed: the training failed.
    """
    from dt2it_ray.engine.ray_train import run_training

    settings, placement = step.settings, step.placement
    assert isinstance(settings, FitSettings | AdaptFitSettings)
    assert isinstance(placement, TrainPlacement)
    output = data_folder(run, step)
    num_pairs = sum(file.rows for file in inputs["pairs"].files)
    epochs, before = settings.train.epochs, read_training_log(output.uri)
    reporter.start(step.name, num_pairs * epochs, _pairs(before))
    job = {
        "settings": settings.train.model_dump(mode="json"),
        "name": step.name.removesuffix("/train"),
        "task": "rewards" if isinstance(settings, FitSettings) else "answers",
        "base": _base(step, run) or settings.backbone.path,
        "pairs_paths": _paths(step.inputs["pairs"], run, inputs["pairs"]),
        "rows_paths": _rows_paths(step, run, inputs),
        "output": output.uri,
    }
    if "held_out" in step.inputs:
        job["held_out_paths"] = _paths(step.inputs["held_out"], run, inputs["held_out"])
    with _told_to(reporter, step.name, output.uri, told=_pairs(before)):
        run_training(job, placement)
    # The log counts a pair in every epoch, the manifest counts it once.
    rows_before = _pairs(steps_kept(before, read_training_log(output.uri))) // epochs
    refused = dropped_table(read_refused_pairs(output.uri))
    dropped: tuple[PartFile, ...] = ()
    if refused.num_rows:
        name = f"{DROPPED}/{part_name(0)}"
        dropped = (PartFile(name, refused.num_rows, output.write_table(name, refused)),)
    reasons = dict(Counter(refused["reason"].to_pylist()))
    counts = Counts(num_pairs, num_pairs - refused.num_rows, refused.num_rows, reasons=reasons)
    files = tuple(file for file in list_files(output) if file.name not in {refusal.name for refusal in dropped})
    metrics = json.loads(output.read(SUMMARY))
    return Made(files=files, counts=counts, dropped=dropped, metrics=metrics, rows_before=rows_before)


Log = Sequence[Mapping[str, Any]]
"""Lines of a training log, one per optimizer step."""


def steps_kept(before: Log, after: Log) -> Log:
    """The steps that a resumed training did not take again: their lines, seconds included, are as they were before."""
    same = itertools.takewhile(lambda lines: lines[0] == lines[1], zip(before, after, strict=False))
    return [line for line, _ in same]


def _pairs(log: Log) -> int:
    return sum(line["pairs"] for line in log)


@contextlib.contextmanager
def _told_to(reporter: Reporter, step: str, folder: str, told: int) -> Iterator[None]:
    """Tell the reporter of the pairs in the folder's training log beyond those `told`, while the block lasts."""
    over = threading.Event()

    def follow() -> None:
        nonlocal told
        while True:
            last = over.wait(LOOK_EVERY_S)
            pairs = _pairs(read_training_log(folder))
            if pairs > told:
                reporter.advance(step, pairs - told)
                told = pairs
            if last:
                return

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        over.set()
        follower.join()


def _base(step: Step, run: Folder) -> str:
    """The folder of the backbone that a step before adapted; empty if none did."""
    adapted = step.inputs.get("backbone")
    return "" if adapted is None else data_folder(run, adapted).path(MODEL_FOLDER)


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
