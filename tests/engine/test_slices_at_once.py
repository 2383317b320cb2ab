"""An actor works on several slices at once, and its engine is asked by as many threads as it stands."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.engine.part_work import MapWork
from dt2it_ray.engine.ray_map import MOST_TASKS, _Worker, plan_of
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import MapStage, Outcome, Workplace
from dt2it_ray.store.files import Folder
from tests.engine.toy import DOUBLES, NUMBERS, index_step, reporter
from tests.waiting import until

SLICES = [(f"0000{part}.parquet", index) for part in range(3) for index in range(2)]


class Gate(Settings):
    """How many calls the engine stands at once."""

    stands: int


class Counting:
    """A function that notes how many threads are in it."""

    def __init__(self, stands: int) -> None:
        self.calls_at_once = stands
        self.inside = self.most_inside = 0
        self._lock = threading.Lock()

    def __call__(self, batch: pa.Table) -> Outcome:
        with self._lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        # The first wait for each other; then each stays a moment, in which one too many would come.
        assert until(lambda: self.most_inside >= self.calls_at_once)
        time.sleep(0.02)
        with self._lock:
            self.inside -= 1
        return Outcome(pa.table({"id": batch["id"], "double": batch["n"]}))


@pytest.fixture
def rows(tmp_path: Path) -> Folder:
    run, step = Folder(str(tmp_path)), index_step()
    run_step(step, run, reporter())
    return run.child(f"index/{step.fingerprint}")


def test_slices_are_sent_one_by_one_while_they_are_few_and_never_in_more_blocks_than_the_driver_can_hold() -> None:
    few = plan_of({"a": 600, "b": 0})
    assert [block.to_pylist() for block in few] == [
        [{"part": part, "slice_index": index}] for part, index in [("a", 0), ("a", 1), ("a", 2), ("b", 0)]
    ]
    many = plan_of({f"{part:05d}": 2048 for part in range(500)})
    assert len(many) <= MOST_TASKS
    rows = [row for block in many for row in block.to_pylist()]
    assert rows == [{"part": f"{part:05d}", "slice_index": index} for part in range(500) for index in range(8)]


@pytest.mark.parametrize("stands", [1, 3])
def test_no_more_threads_ask_an_engine_than_it_stands(rows: Folder, tmp_path: Path, stands: int) -> None:
    function = Counting(stands)
    stage = MapStage(name="gate", version=1, reads=NUMBERS, writes=DOUBLES, build=lambda settings, place: function)
    output = Folder(str(tmp_path / "gate"))
    work = MapWork("gate", stage, Gate(stands=stands), Workplace(), rows, ("id", "n"), (), output, batch_rows=16)
    worker = _Worker(work)
    plans = [pa.table({"part": [part], "slice_index": [index]}) for part, index in SLICES]
    with ThreadPoolExecutor(3) as threads:
        receipts = [receipt.to_pylist()[0] for receipt in threads.map(worker, plans)]
    assert [(receipt["part"], receipt["slice_index"]) for receipt in receipts] == SLICES
    assert sum(receipt["rows_in"] for receipt in receipts) == 900
    assert {receipt["failure"] for receipt in receipts} == {""}
    assert function.most_inside == stands


def test_after_a_failure_no_slice_that_waits_asks_the_engine(rows: Folder, tmp_path: Path) -> None:
    asked: list[int] = []

    def fail(batch: pa.Table) -> Outcome:
        asked.append(batch.num_rows)
        time.sleep(0.2)  # the others come to wait meanwhile
        raise ValueError("out of order")

    function = EngineFn(fail)
    stage = MapStage(name="gate", version=1, reads=NUMBERS, writes=DOUBLES, build=lambda settings, place: function)
    output = Folder(str(tmp_path / "gate"))
    work = MapWork("gate", stage, Gate(stands=1), Workplace(), rows, ("id", "n"), (), output, batch_rows=16)
    worker = _Worker(work)
    plans = [pa.table({"part": [part], "slice_index": [index]}) for part, index in SLICES]
    with ThreadPoolExecutor(3) as threads:
        failures = {receipt["failure"][0].as_py() for receipt in threads.map(worker, plans)}
    assert asked == [16]  # once: neither by those who wait, nor row by row to find the culprit
    (failure,) = failures
    assert failure.startswith("step gate: a batch of 16 rows from id=")
    assert failure.endswith("ValueError: out of order")
