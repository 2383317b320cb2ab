"""Which settings of where a training runs are refused, and that its workers hear of the others."""

import dataclasses

import pytest

from dt2it_ray.engine.ray_train import _worker_fields
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.settings import load_settings
from dt2it_ray.stages.train_placement import TrainPlacement


def test_a_budget_of_tokens_is_a_positive_number_or_none() -> None:
    assert TrainPlacement().micro_batch_tokens is None
    assert load_settings(TrainPlacement, None, ["micro_batch_tokens=4096"]).micro_batch_tokens == 4096
    with pytest.raises(ConfigError, match=r"micro_batch_tokens.*greater than or equal to 1"):
        load_settings(TrainPlacement, None, ["micro_batch_tokens=0"])


def test_workers_hear_of_every_setting_that_a_job_has_too() -> None:
    shared = {field.name for field in dataclasses.fields(TrainJob)} & set(TrainPlacement.model_fields)
    told = _worker_fields(TrainPlacement(micro_batch_tokens=4096))
    assert told["micro_batch_tokens"] == 4096
    assert shared <= set(told)
