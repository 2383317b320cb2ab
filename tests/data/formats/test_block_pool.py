"""The processes that parse blocks do not outlive the one that asked them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from dt2it_ray.data.formats.block_pool import map_blocks
from dt2it_ray.data.formats.containers.block import Block
from dt2it_ray.data.formats.sources import find_source
from dt2it_ray.store.files import Folder
from tests.waiting import WAIT_S, until

ROOT = Path(__file__).parents[3]


def hold(block: Block) -> None:
    """Say that a block has come, and keep it."""
    Path(f"{os.environ['NOTES']}/{os.getpid()}").touch()
    time.sleep(10 * WAIT_S)


def parse(address: str) -> None:
    """Have one process hold the only block of a file."""
    list(map_blocks(hold, find_source(address, Folder), 1))


def test_they_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    rows, notes = tmp_path / "rows.jsonl", tmp_path / "notes"
    rows.write_text('{"question": "q"}\n')
    notes.mkdir()
    typed = [sys.executable, "-c", f"from tests.data.formats.test_block_pool import parse; parse({str(rows)!r})"]
    # Not pipes: a process that lives on would keep them open, and this test waiting.
    with subprocess.Popen(typed, cwd=ROOT, env={**os.environ, "NOTES": str(notes)}) as asking:
        assert until(lambda: any(notes.iterdir()))
        (parsing,) = (psutil.Process(int(note.name)) for note in notes.iterdir())
        asking.send_signal(signal.SIGKILL)
    assert until(lambda: not parsing.is_running() or parsing.status() == psutil.STATUS_ZOMBIE)
