"""Engines are closed once when their step is over, however it ends, and what they counted is in the manifest."""

from pathlib import Path

import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.stages.stage import Placement
from dt2it_ray.store.files import Folder
from tests.engine.toy import index_step, reporter
from tests.engine.toy_engine import metered_step, noted
from tests.waiting import until


@pytest.fixture
def run(tmp_path: Path) -> Folder:
    run = Folder(str(tmp_path / "run"))
    run_step(index_step(), run, reporter())
    return run


@pytest.mark.parametrize("raise_at", [-1, 417])
def test_a_local_engine_is_closed_when_its_step_ends_and_when_it_fails(
    run: Folder, tmp_path: Path, raise_at: int
) -> None:
    notes = tmp_path / "notes"
    step = metered_step(index_step(), notes, raise_at=raise_at)
    if raise_at < 0:
        run_step(step, run, reporter())
    else:
        with pytest.raises(StageFailed, match="cannot stand 417"):
            run_step(step, run, reporter())
    assert len(noted(notes, "closed")) == len(noted(notes, "opened")) == 1


@pytest.mark.ray
# An actor that has not started when the step ends is killed by Ray, hence one worker, or actors that wait for others.
@pytest.mark.parametrize(("raise_at", "workers"), [(-1, 2), (417, 1)])
def test_every_actor_closes_its_engine_when_its_step_ends_and_when_it_fails(
    ray_session: None, run: Folder, tmp_path: Path, raise_at: int, workers: int
) -> None:
    notes = tmp_path / "notes"
    step = metered_step(index_step(), notes, Placement(engine="ray", workers=workers), raise_at=raise_at, peers=workers)
    if raise_at < 0:
        assert run_step(step, run, reporter()).metrics["asked"] == 1000
    else:
        with pytest.raises(StageFailed, match="cannot stand 417"):
            run_step(step, run, reporter())
    assert until(lambda: noted(notes, "closed") == noted(notes, "opened"))
    assert len(noted(notes, "opened")) == workers


def test_metrics_of_batches_are_summed_and_a_resumed_run_has_them_all(run: Folder, tmp_path: Path) -> None:
    step = metered_step(index_step(), tmp_path / "notes", Placement(batch_rows=100))
    # Four parts of 300 rows come as slices of 256: batches of 100, 100 and 56, then one of 44; the last part has one.
    undisturbed = run_step(step, run, reporter()).metrics
    assert undisturbed == {"asked": 1000, "told": 3 * 4 * 0.5 + 0.5}
    run.delete("metered/manifest.json")
    run.delete(f"metered/{step.fingerprint}/seals/00001.parquet.json")
    assert run_step(step, run, reporter()).metrics == undisturbed


@pytest.mark.parametrize("told", ["many", True, float("nan"), [1]])
def test_a_metric_that_cannot_be_summed_is_refused(run: Folder, tmp_path: Path, told: object) -> None:
    with pytest.raises(StageFailed, match=r"step metered told the metric told = .*finite int or float"):
        run_step(metered_step(index_step(), tmp_path / "notes", told=told), run, reporter())
