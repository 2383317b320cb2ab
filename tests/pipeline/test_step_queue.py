import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.pipeline.step_queue import do_steps
from dt2it_ray.stages.stage import GatherStage, NoSettings, Outcome, Step
from tests.engine.toy import NUMBERS, double_step, index_step

STAGE = GatherStage(name="toy", version=1, reads={}, writes=NUMBERS, decide=lambda tables, settings: Outcome(NUMBERS))
WAIT_S = 20


def step(name: str, *sources: Step) -> Step:
    return Step(name=name, stage=STAGE, settings=NoSettings(), inputs={source.name: source for source in sources})


def order(steps: list[Step], max_concurrent: int, do: Callable[[Step], None] = lambda step: None) -> list[str]:
    return [done.name for done in do_steps(steps, max_concurrent, do)]


def test_a_step_starts_after_all_that_it_reads() -> None:
    first, second = step("first"), step("second")
    last = step("last", first, second)
    done: list[str] = []

    def do(its: Step) -> None:
        assert set(its.inputs) <= set(done)
        done.append(its.name)

    assert order([first, second, last], 3, do) == done
    assert done[-1] == "last"


def test_the_step_that_most_others_wait_for_goes_first() -> None:
    baseline, model = step("baseline"), step("model")
    steps = [baseline, step("baseline/evaluate", baseline), model, step("voter", model)]
    steps += [step("flips", steps[-1])]
    assert order(steps, 1) == ["model", "baseline", "voter", "baseline/evaluate", "flips"]


def test_steps_that_do_not_read_each_other_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=WAIT_S)
    assert sorted(order([step("a"), step("b")], 2, lambda its: both.wait() and None)) == ["a", "b"]


@pytest.mark.parametrize("max_concurrent", [1, 2])
def test_no_more_run_than_allowed(max_concurrent: int) -> None:
    running, most, lock = set[str](), 0, threading.Lock()
    all_of_them = threading.Barrier(max_concurrent, timeout=WAIT_S)

    def do(its: Step) -> None:
        nonlocal most
        with lock:
            running.add(its.name)
            most = max(most, len(running))
        all_of_them.wait()
        with lock:
            running.remove(its.name)

    order([step(f"step-{n}") for n in range(6)], max_concurrent, do)
    assert most == max_concurrent


def test_map_steps_of_this_process_run_one_by_one_beside_those_on_ray() -> None:
    rows = index_step()
    here = [double_step(rows), replace(double_step(rows), name="double-2")]
    there = replace(double_step(rows, "ray"), name="double-ray")
    running, seen = set[str](), list[set[str]]()
    lock, beside = threading.Lock(), threading.Event()

    def do(its: Step) -> None:
        with lock:
            running.add(its.name)
            seen.append(set(running))
        if its.name == "double-ray":
            assert beside.wait(WAIT_S)  # until both others are over
        with lock:
            running.discard(its.name)
            if its.name == "double-2":
                beside.set()

    order([rows, *here, there], 3, do)
    assert not any({"double", "double-2"} <= names for names in seen)
    assert any({"double-2", "double-ray"} <= names for names in seen)


def test_after_a_failure_no_step_starts_and_running_ones_end() -> None:
    failed, ended = threading.Event(), list[str]()
    bad, slow = step("bad"), step("slow")
    later = step("later", slow)

    def do(its: Step) -> None:
        if its.name == "bad":
            failed.set()
            raise StageFailed("step bad: no luck")
        assert failed.wait(WAIT_S)
        ended.append(its.name)

    with pytest.raises(StageFailed, match="no luck"):
        order([bad, slow, later], 2, do)
    assert ended == ["slow"]
