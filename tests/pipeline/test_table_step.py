"""A step that is made in a stream ends with the error that stopped it, wherever that was, and resumes."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.engine.telemetry import Lines
from dt2it_ray.errors import InputError, StageFailed
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.stages.stage import LoadStage, NoSettings, Outcome, Placement, Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import read_manifest

WRITES = pa.schema([("key", pa.string())])


def step_of(outcomes: Iterator[list[str] | Exception]) -> Step:
    """A step of three rows a part, whose rows come as told."""

    def load(folders: Mapping[str, Folder], settings: NoSettings) -> Iterator[Outcome]:
        for keys in outcomes:
            if isinstance(keys, Exception):
                raise keys
            yield Outcome(pa.table({"key": keys}, schema=WRITES))

    stage = LoadStage(name="made", version=1, writes=WRITES, load=load)
    return Step(name="made", stage=stage, settings=NoSettings(), inputs={}, placement=Placement(), part_rows=3)


def test_rows_that_cannot_be_made_stop_the_step_and_it_resumes_with_the_same_bytes(tmp_path: Path) -> None:
    rows = [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    run, whole = Folder(str(tmp_path / "run")), Folder(str(tmp_path / "whole"))
    with pytest.raises(InputError, match="cut off"):
        run_step(step_of(iter([*rows[:2], InputError("cut off")])), run, Lines())
    assert read_manifest(run, "made") is None
    made = run_step(step_of(iter(rows)), run, Lines())
    assert made.files == run_step(step_of(iter(rows)), whole, Lines()).files
    assert [file.rows for file in made.files] == [3, 3, 1]


def test_a_part_that_cannot_be_written_stops_the_step_before_many_more_rows_are_made(tmp_path: Path) -> None:
    asked: list[int] = []

    def rows() -> Iterator[list[str]]:
        for place in range(10):
            asked.append(place)
            yield [f"{place}", f"{place}", f"{place}x"]

    before = set(threading.enumerate())
    with pytest.raises(StageFailed, match="two rows of"):
        run_step(step_of(rows()), Folder(str(tmp_path)), Lines())
    assert asked == [0, 1]
    assert read_manifest(Folder(str(tmp_path)), "made") is None
    assert set(threading.enumerate()) <= before


def test_the_last_part_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="two rows of"):
        run_step(step_of(iter([["a", "b", "c"], ["d", "d"]])), Folder(str(tmp_path)), Lines())
    assert read_manifest(Folder(str(tmp_path)), "made") is None
