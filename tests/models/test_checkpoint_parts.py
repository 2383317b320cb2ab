"""A checkpoint counts when every file of every worker is there in its full length."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dt2it_ray.models.checkpoint_parts import is_complete, list_part

DAMAGES: dict[str, Callable[[Path], object]] = {
    "a file is cut off": lambda folder: (folder / "state/weights-1").write_bytes(b"wei"),
    "a file is missing": lambda folder: (folder / "state/weights-0").unlink(),
    "a worker's list is missing": lambda folder: (folder / "files-1.json").unlink(),
    "a worker's list is cut off": lambda folder: (folder / "files-0.json").write_text('{"state/w'),
    "nobody says how many workers there are": lambda folder: (folder / "workers").unlink(),
    "their number is not there yet": lambda folder: (folder / "workers").write_bytes(b""),
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of two workers, whose folders became one."""
    whole = tmp_path / "whole"
    for rank in range(2):
        part = tmp_path / f"part-{rank}"
        (part / "state").mkdir(parents=True)
        (part / "state" / f"weights-{rank}").write_bytes(b"weights")
        list_part(part, rank, 2)
        for path in filter(Path.is_file, part.rglob("*")):
            (whole / path.relative_to(part)).parent.mkdir(parents=True, exist_ok=True)
            path.rename(whole / path.relative_to(part))
    return whole


def test_parts_of_all_workers_are_a_checkpoint(checkpoint: Path) -> None:
    assert is_complete(checkpoint)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_a_killed_worker_leaves_is_none(checkpoint: Path, damage: str) -> None:
    DAMAGES[damage](checkpoint)
    assert not is_complete(checkpoint)
