"""A damaged list of checkpoints costs no step that a whole checkpoint has."""

import json
import logging
from pathlib import Path

import pytest

from dt2it_ray.engine.checkpoint_list import LIST, newest_unlisted
from dt2it_ray.models.checkpoint_parts import list_part

OLDER, NEWER, BROKEN = (f"checkpoint_2026-01-01_10-00-0{second}.000000" for second in range(3))
DAMAGES = [
    "",
    '{"checkpoint_results": [{"checkpo',
    "[]",
    "{}",
    json.dumps({"checkpoint_results": [{"checkpoint_dir_name": "checkpoint_that_is_gone"}]}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two checkpoints, a third over which the worker died, and a sound list."""
    for name in (OLDER, NEWER, BROKEN):
        (tmp_path / name).mkdir()
        list_part(tmp_path / name, 0, 1)
    (tmp_path / BROKEN / "workers").unlink()
    (tmp_path / LIST).write_text(json.dumps({"checkpoint_results": [{"checkpoint_dir_name": OLDER}]}))
    return tmp_path


def test_a_sound_list_is_left_to_ray(folder: Path) -> None:
    before = (folder / LIST).read_bytes()
    assert newest_unlisted(folder) is None
    assert (folder / LIST).read_bytes() == before


def test_before_the_first_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert newest_unlisted(tmp_path / "nowhere") is None


@pytest.mark.parametrize("content", DAMAGES)
def test_a_damaged_list_gives_way_to_the_newest_whole_checkpoint(
    folder: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / LIST).write_text(content)
    with caplog.at_level(logging.WARNING):
        assert newest_unlisted(folder) == str(folder / NEWER)
    assert f"{LIST} is damaged; the training goes on from {folder / NEWER}" in caplog.text
    # Until Ray has a list again, whatever else is begun there.
    list_part(folder / BROKEN, 0, 1)
    assert newest_unlisted(folder) == str(folder / NEWER)
    (folder / LIST).write_text(json.dumps({"checkpoint_results": [{"checkpoint_dir_name": BROKEN}]}))
    assert newest_unlisted(folder) is None


def test_without_a_whole_checkpoint_the_training_begins_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (OLDER, NEWER):
        (folder / name / "workers").unlink()
    (folder / LIST).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert newest_unlisted(folder) is None
    assert "the training goes on from its first step" in caplog.text
    assert not (folder / LIST).exists()
