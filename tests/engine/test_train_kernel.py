"""Which kernel of attention the workers of a training are told to take."""

import pytest

from dt2it_ray.engine.ray_train import _worker_fields
from dt2it_ray.stages.train_placement import TrainPlacement


def test_workers_hear_of_the_kernel_of_attention_which_on_a_cpu_is_not_flex() -> None:
    assert _worker_fields(TrainPlacement())["attention"] == "auto"
    assert _worker_fields(TrainPlacement(gpus=1, attention="flex"))["attention"] == "flex"
    with pytest.raises(ValueError, match="attention=flex cannot learn on a CPU: set gpus above 0"):
        TrainPlacement(attention="flex")
