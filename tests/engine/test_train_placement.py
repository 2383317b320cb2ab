"""How many workers Ray Train is asked for."""

import pytest

from dt2it_ray.engine.ray_train import _numbers
from dt2it_ray.stages.train_placement import TrainPlacement


def test_a_training_is_elastic_only_where_more_workers_than_the_fewest_are_allowed() -> None:
    assert _numbers(TrainPlacement(workers=2)) == 2
    assert _numbers(TrainPlacement(workers=2, max_workers=2)) == 2
    assert _numbers(TrainPlacement(workers=2, max_workers=4)) == (2, 4)
    with pytest.raises(ValueError, match="max_workers=1 is less than workers=2"):
        TrainPlacement(workers=2, max_workers=1)
