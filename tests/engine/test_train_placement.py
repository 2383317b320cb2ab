"""How many workers Ray Train is asked for, and how long they may wait for room."""

import os

import pytest

from dt2it_ray.engine.ray_train import _numbers, _told_to_ray, _worker_fields
from dt2it_ray.stages.train_placement import TrainPlacement


def test_a_training_is_elastic_only_where_more_workers_than_the_fewest_are_allowed() -> None:
    assert _numbers(TrainPlacement(workers=2)) == 2
    assert _numbers(TrainPlacement(workers=2, max_workers=2)) == 2
    assert _numbers(TrainPlacement(workers=2, max_workers=4)) == (2, 4)
    with pytest.raises(ValueError, match="max_workers=1 is less than workers=2"):
        TrainPlacement(workers=2, max_workers=1)


def test_only_workers_that_no_others_can_stand_in_for_wait_long_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
    monkeypatch.delenv(name, raising=False)
    for placement, seconds in ((TrainPlacement(workers=2), "1200"), (TrainPlacement(max_workers=2), "30")):
        with _told_to_ray(placement):
            assert os.environ[name] == seconds
        # The next training of this process is told anew.
        assert name not in os.environ
    monkeypatch.setenv(name, "77")
    with _told_to_ray(TrainPlacement(max_workers=2)):
        assert os.environ[name] == "77"
    assert os.environ[name] == "77"


def test_workers_hear_of_the_kernel_of_attention_which_on_a_cpu_is_not_flex() -> None:
    assert _worker_fields(TrainPlacement())["attention"] == "auto"
    assert _worker_fields(TrainPlacement(gpus=1, attention="flex"))["attention"] == "flex"
    with pytest.raises(ValueError, match="attention=flex cannot learn on a CPU: set gpus above 0"):
        TrainPlacement(attention="flex")
