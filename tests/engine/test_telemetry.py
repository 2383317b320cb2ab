import io

import pytest
from rich.console import Console

from dt2it_ray.engine import telemetry
from dt2it_ray.engine.telemetry import Bars, Lines, PeakMemory


def test_lines_of_steps_that_run_together_name_their_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "LINE_EVERY_S", 0)
    stream = io.StringIO()
    lines = Lines(stream)
    lines.start("a", 10, 0)
    lines.start("b", 1_000, 400)
    lines.advance("a", 5)
    lines.advance("b", 100)
    lines.advance("a", 2)
    lines.finish("a", "a: done")
    told = [line.split(" rows")[0] for line in stream.getvalue().splitlines()]
    assert told == ["a: 5 of 10", "b: 500 of 1,000", "a: 7 of 10", "a: done"]


def test_a_bar_leaves_when_its_step_ends_and_others_stay() -> None:
    stream = io.StringIO()
    bars = Bars(Console(file=stream, force_terminal=True, width=100))
    for step in ("iter-00/train", "voter-1/train"):
        bars.start(step, 10, 0)
        bars.advance(step, 4)
    bars.finish("iter-00/train", "iter-00/train: 10 rows in 1.0 s")
    bars.finish("t2i/pairs", "t2i/pairs: no bar was ever shown")
    bars.close()
    assert "iter-00/train: 10 rows in 1.0 s" in stream.getvalue()
    assert "voter-1/train" in stream.getvalue().rpartition("no bar was ever shown")[2]


def test_a_call_that_is_over_at_once_took_memory_all_the_same() -> None:
    with PeakMemory() as memory:
        pass
    assert memory.peak_mib > 1


def test_the_peak_of_earlier_calls_stays_if_it_was_higher() -> None:
    with PeakMemory(before_mib=1e9) as memory:
        pass
    assert memory.peak_mib == 1e9
