"""One finished smoke run for all tests of the loop."""

from pathlib import Path

import pytest

from tests.loop.runs import run_loop


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run."""
    root = tmp_path_factory.mktemp("runs")
    told = run_loop(root)
    assert told.returncode == 0, told.stderr
    return root / "smoke"
