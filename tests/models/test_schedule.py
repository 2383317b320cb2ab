"""Every pair is seen once per epoch, whatever the workers and micro-batches; orders depend on names only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.models.schedule import Schedule, share_of_peak


@given(pairs=st.integers(1, 60), batch=st.integers(1, 20), micro=st.integers(1, 8), workers=st.integers(1, 4))
def test_workers_and_micro_batches_share_each_step(pairs: int, batch: int, micro: int, workers: int) -> None:
    schedule = Schedule(pairs, epochs=2, global_batch=batch, micro_batch=micro, world_size=workers)
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


def test_the_rate_rises_then_falls() -> None:
    rates = [share_of_peak(step, 20, warmup=0.1) for step in range(20)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert share_of_peak(0, 1, warmup=0.0) == pytest.approx(1.0)
