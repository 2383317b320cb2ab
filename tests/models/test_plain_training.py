"""The training that ours is timed beside learns the same."""

import dataclasses
from pathlib import Path

import pytest

from dt2it_ray.speed.train import speed_job, train_so
from tests.models.random_model import write_random_model

pytestmark = pytest.mark.usefixtures("process_group")


@pytest.mark.parametrize("with_images", [True, False])
def test_plain_training_has_the_losses_of_ours(
    with_images: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dt2it_ray.speed.train._join_group_of_one", lambda folder: None)
    job = speed_job(tmp_path, 5, str(write_random_model(tmp_path / "base")), with_images)
    settings = job.settings.model_copy(update={"global_batch_pairs": 2})
    job = dataclasses.replace(job, settings=settings, threads=1)
    ours, separate, plain = (train_so(way, job) for way in ("shared", "separate", "plain"))
    assert len(set(ours.told)) == len(ours.told) == 3
    assert separate.told == pytest.approx(ours.told, abs=1e-4)
    assert plain.told == pytest.approx(ours.told, abs=1e-4)
