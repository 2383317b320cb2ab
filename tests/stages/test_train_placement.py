"""What settings of where a training runs are refused."""

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.settings import load_settings
from dt2it_ray.stages.train_placement import TrainPlacement


def test_a_budget_of_tokens_is_a_positive_number_or_none() -> None:
    assert TrainPlacement().micro_batch_tokens is None
    assert load_settings(TrainPlacement, None, ["micro_batch_tokens=4096"]).micro_batch_tokens == 4096
    with pytest.raises(ConfigError, match=r"micro_batch_tokens.*greater than or equal to 1"):
        load_settings(TrainPlacement, None, ["micro_batch_tokens=0"])
