"""Every pair is seen once per epoch, whatever the workers and micro-batches; orders depend on names only."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.models.schedule import Schedule, new_schedule, share_of_peak
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_settings import TrainSettings


@given(
    pairs=st.integers(1, 60),
    batch=st.integers(1, 20),
    micro=st.integers(1, 8),
    workers=st.integers(1, 4),
    padded=st.booleans(),
)
def test_workers_and_micro_batches_share_each_step(
    pairs: int, batch: int, micro: int, workers: int, padded: bool
) -> None:
    schedule = Schedule(pairs, epochs=2, global_batch=batch, micro_batch=micro, world_size=workers, padded=padded)
    order, lengths = np.arange(pairs), np.arange(pairs) % 7
    seen: list[int] = []
    for step in range(schedule.steps_per_epoch):
        shares = [schedule.share(schedule.batch(order, step), lengths, rank) for rank in range(workers)]
        assert {len(share) for share in shares} == {schedule.micro_batches}
        parts = [part for share in shares for part in share]
        assert max(len(part) for part in parts) <= micro
        seen += [int(pair) for part in parts for pair in part]
    assert sorted(seen) == list(range(pairs))
    assert schedule.steps == 2 * schedule.steps_per_epoch


def test_packed_passes_are_equally_long_and_padded_ones_of_like_length() -> None:
    lengths = np.array([100, 10, 90, 20, 80, 30, 70, 40])
    packed, padded = (
        Schedule(8, epochs=1, global_batch=8, micro_batch=2, world_size=2, padded=padded) for padded in (False, True)
    )
    even = [lengths[part].tolist() for rank in (0, 1) for part in packed.share(np.arange(8), lengths, rank)]
    assert [sum(part) for part in even] == [110] * 4
    alike = [lengths[part].tolist() for rank in (0, 1) for part in padded.share(np.arange(8), lengths, rank)]
    assert sorted(alike) == [[10, 20], [30, 40], [70, 80], [90, 100]]


@given(pairs=st.integers(1, 60), batch=st.integers(1, 20), workers=st.integers(1, 4), padded=st.booleans())
def test_with_a_budget_of_tokens_a_workers_share_of_a_step_is_one_micro_batch(
    pairs: int, batch: int, workers: int, padded: bool
) -> None:
    settings = TrainSettings(global_batch_pairs=batch, epochs=2)
    fields: Any = {"name": "", "base": "", "pairs_paths": (), "rows_paths": (), "output": ""}
    job = TrainJob(settings=settings, **fields, micro_batch_pairs=3, micro_batch_tokens=100)
    schedule = new_schedule(job, pairs, workers, padded)
    assert (schedule.tokens, schedule.micro_batches, schedule.steps_per_epoch) == (100, 1, math.ceil(pairs / batch))
    order, lengths = np.arange(pairs), np.arange(pairs) % 7
    for step in range(schedule.steps_per_epoch):
        taken = schedule.batch(order, step)
        shares = [schedule.share(taken, lengths, rank) for rank in range(workers)]
        assert [len(share) for share in shares] == [1] * workers
        assert sorted(int(pair) for (share,) in shares for pair in share) == taken.tolist()
        # Equally long in all: the shortest and the longest share differ by no more than one pair does.
        sums = [lengths[share].sum() for (share,) in shares]
        assert len(taken) % workers or max(sums) - min(sums) <= 6


def test_the_rate_rises_then_falls() -> None:
    rates = [share_of_peak(step, 20, warmup=0.1) for step in range(20)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert share_of_peak(0, 1, warmup=0.0) == pytest.approx(1.0)
