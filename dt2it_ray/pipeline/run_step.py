"""How one step is done, whatever its kind: skip it, resume it or run it, and write its manifest last."""

import time
from collections.abc import Mapping

from dt2it_ray.engine.telemetry import Reporter
from dt2it_ray.errors import StoreError
from dt2it_ray.pipeline.lost_rows import refuse_too_many_dropped
from dt2it_ray.pipeline.map_step import Made, do_map
from dt2it_ray.pipeline.step_files import data_folder
from dt2it_ray.pipeline.step_state import finished
from dt2it_ray.pipeline.table_step import do_export, do_gather, do_load
from dt2it_ray.pipeline.train_step import do_train
from dt2it_ray.stages.stage import ExportStage, GatherStage, LoadStage, MapStage, Step, TrainStage
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest, write_manifest
from dt2it_ray.store.provenance import capture_provenance


def run_step(step: Step, run: Folder, reporter: Reporter) -> Manifest:
    """The manifest of a step whose inputs are done: read if it is finished, else made now.

    Raises:
        StepChanged: the step is finished with other settings.
        StageFailed, StoreError: it cannot be done; what was sealed before stays and is not made again, except for parts
            with requests that a server failed to answer.
    """
    manifest = finished(step, run)
    if manifest is not None:
        return manifest
    began = time.monotonic()
    inputs = {name: _input(source, run) for name, source in step.inputs.items()}
    made = _do(step, run, inputs, reporter)
    refuse_too_many_dropped(step, data_folder(run, step), made.counts.reasons, made.counts.rows_in)
    cost = {"wall_s": round(time.monotonic() - began, 3), "rows_before": made.rows_before}
    manifest = Manifest(
        step=step.name,
        stage=step.stage.name,
        version=step.stage.version,
        fingerprint=step.fingerprint,
        settings=step.identity(),
        inputs={name: source.fingerprint for name, source in step.inputs.items()},
        files=made.files,
        dropped=made.dropped,
        counts=made.counts,
        metrics=made.metrics,
        placement=step.placement.model_dump(mode="json"),
        provenance={**cost, "finished_at": round(time.time(), 3), **capture_provenance()},
    )
    write_manifest(run, manifest)
    return manifest


def _do(step: Step, run: Folder, inputs: Mapping[str, Manifest], reporter: Reporter) -> Made:
    match step.stage:
        case MapStage():
            return do_map(step, step.stage, run, inputs, reporter)
        case GatherStage():
            return do_gather(step, step.stage, run, inputs, reporter)
        case LoadStage():
            return do_load(step, step.stage, run, reporter)
        case ExportStage():
            return do_export(step, step.stage, run, inputs, reporter)
        case TrainStage():
            return do_train(step, run, inputs, reporter)


def _input(source: Step, run: Folder) -> Manifest:
    manifest = finished(source, run)
    if manifest is None:
        raise StoreError(f"{run.path(source.name)} is not finished, so nothing can be made of it; run that step first")
    return manifest
