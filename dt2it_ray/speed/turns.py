"""How ways of doing the same take turns, each in a process of its own, and what their rounds come to."""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from dt2it_ray.speed.driver_memory import peak_mib


@dataclass(frozen=True)
class Round:
    """What one way did in one round."""

    told: list[float]
    """Figures that all ways should agree on."""
    seconds: float
    cpu_s: float
    """Of all threads: what is left where other work on the machine makes the seconds mean little."""
    mib: float
    """The most memory of the process so far."""


def timed(work: Callable[[], list[float]]) -> Round:
    """What some work of this process tells and takes."""
    began, cpu = time.perf_counter(), time.process_time()
    told = work()
    return Round(told, time.perf_counter() - began, time.process_time() - cpu, peak_mib())


def take_turns(ways: Sequence[str], rounds: int, work: Callable[..., Round], *given: Any) -> dict[str, list[Round]]:
    """The rounds of each way: `work(way, *given)` in a fresh process, forwards and backwards through the ways."""
    told: dict[str, list[Round]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways if number % 2 == 0 else ways[::-1]:
            told[way].append(in_own_process(work, way, *given))
            print(f"round {number + 1} of {rounds}: {way} {told[way][-1].seconds:.1f} s", file=sys.stderr, flush=True)
    return told


def in_own_process(work: Callable[..., Any], *given: Any) -> Any:
    """What a function of a module returns in a fresh process: one that was forked would begin with our memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def figures_of(told: dict[str, list[Round]], done: int, unit: str) -> dict[str, Any]:
    """Medians by way, how many times faster the first way is than each other one, and how far apart they are at most
    in what they tell. `done` is how many of `unit` each did."""
    first, *others = told
    figures: dict[str, Any] = {}
    for way, rounds in told.items():
        figures[f"{way}_{unit}_per_s"] = round(done / statistics.median(each.seconds for each in rounds), 2)
        figures[f"{way}_mib"] = round(statistics.median(each.mib for each in rounds), 1)
    for way in others:
        turns = list(zip(told[way], told[first], strict=True))
        by_round = [theirs.seconds / mine.seconds for theirs, mine in turns]
        figures[f"times_faster_than_{way}"] = round(statistics.median(by_round), 2)
        figures[f"times_faster_than_{way}_by_round"] = [round(ratio, 2) for ratio in by_round]
        figures[f"times_less_cpu_than_{way}"] = round(statistics.median(t.cpu_s / m.cpu_s for t, m in turns), 2)
        figures[f"largest_difference_to_{way}"] = max(apart(theirs.told, mine.told) for theirs, mine in turns)
    return figures


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference between two lists of figures."""
    return max(abs(mine - theirs) for mine, theirs in zip(one, other, strict=True))
