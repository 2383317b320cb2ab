"""What the driver says and refuses; whole runs are in tests/loop."""

import dataclasses

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.drive import told_of
from dt2it_ray.pipeline.driver import run_loop
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.usage import usage_of
from dt2it_ray.store.manifest import Counts, Manifest

MADE = Manifest(
    step="iter-01/score-voter-0",
    stage="score",
    version=1,
    fingerprint="0",
    settings={},
    inputs={},
    files=(),
    counts=Counts(rows_in=144, rows_out=304),
    metrics={},
    placement={},
    provenance={"wall_s": 4.0, "rows_before": 0},
)


def test_the_rate_of_a_step_is_that_of_the_rows_beside_it() -> None:
    assert told_of(MADE) == "iter-01/score-voter-0: 144 rows in 4.0 s, 36 rows/s"


def test_a_resumed_step_tells_the_rows_of_this_call() -> None:
    counts = Counts(rows_in=970, rows_out=960, skipped=30, dropped=10, reasons={"image_undecodable": 10})
    resumed = dataclasses.replace(MADE, counts=counts, provenance={"wall_s": 2.0, "rows_before": 700})
    told = "300 of 1,000 rows in 2.0 s, 150 rows/s, 30 skipped, 10 dropped {'image_undecodable': 10}"
    assert told_of(resumed) == f"iter-01/score-voter-0: {told}"


@pytest.mark.parametrize(
    ("paid", "told"),
    [
        ({"replies": 0}, ""),
        ({"replies": 60, "hits": 20}, ", 20 of 60 replies from the cache"),
        (
            {"replies": 1200, "hits": 200, "spent": 1.5, "saved": 0.3},
            ", 200 of 1,200 replies from the cache, 1.50 spent and 0.30 saved",
        ),
    ],
)
def test_a_step_tells_what_its_engine_took(paid: dict[str, float], told: str) -> None:
    assert told_of(dataclasses.replace(MADE, metrics=paid)) == f"{told_of(MADE)}{told}"


def test_what_engines_took_is_summed_over_steps() -> None:
    steps = [dataclasses.replace(MADE, metrics={"replies": 3, "hits": number, "attempts": 9}) for number in (1, 2)]
    assert usage_of([MADE]) == {}
    told = usage_of([MADE, *steps])
    assert (told["replies"], told["hits"], told["spent"]) == (6, 3, 0)
    assert "attempts" not in told


def test_a_run_in_object_storage_is_refused_before_the_storage_is_asked() -> None:
    with pytest.raises(ConfigError, match="a folder that all workers mount"):
        run_loop(RunSettings(name="x", root="s3://no-such-bucket-of-ours/runs"))
