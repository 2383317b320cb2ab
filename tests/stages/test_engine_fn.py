"""Functions over engines tell what their batches took, and let every engine go."""

from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import Outcome

BATCH = pa.table({"id": ["a", "b"]})


@dataclass
class Used:
    replies: int = 5
    spent: float = 0.0


@dataclass
class Engine:
    usage: Used = field(default_factory=Used)
    closed: int = 0
    broken: bool = False

    def answer(self, batch: pa.Table) -> Outcome:
        self.usage.replies += batch.num_rows
        self.usage.spent += 0.5
        return Outcome(batch, metrics={"kept": batch.num_rows})

    def close(self) -> None:
        self.closed += 1
        if self.broken:
            raise RuntimeError("stuck")


def test_each_batch_tells_what_was_used_since_the_one_before() -> None:
    engine = Engine()
    function = EngineFn(engine.answer, engine)
    # What was used before the first batch, as to warm up, is told with it.
    assert function(BATCH).metrics == {"kept": 2, "replies": 7, "spent": 0.5}
    assert function(BATCH).metrics == {"kept": 2, "replies": 2, "spent": 0.5}


def test_usages_of_several_engines_are_added_and_engines_without_are_passed_over() -> None:
    first, second = Engine(), Engine()
    function = EngineFn(first.answer, first, object(), second)
    assert function(BATCH).metrics["replies"] == 12
    function.close()
    assert (first.closed, second.closed) == (1, 1)


def test_an_engine_that_cannot_be_closed_does_not_keep_the_others() -> None:
    broken, sound = Engine(broken=True), Engine()
    with pytest.raises(RuntimeError, match="stuck"):
        EngineFn(sound.answer, broken, sound).close()
    assert (broken.closed, sound.closed) == (1, 1)


def test_as_many_calls_overlap_as_the_least_able_engine_stands() -> None:
    able, single = Engine(), Engine()
    able.calls_at_once = 3  # pyright: ignore[reportAttributeAccessIssue]
    assert EngineFn(able.answer, able).calls_at_once == 3
    assert EngineFn(able.answer, able, single).calls_at_once == 1
    assert EngineFn(able.answer).calls_at_once == 1
