"""Where a run was made."""

import getpass
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from dt2it_ray.store import provenance
from dt2it_ray.store.provenance import PACKAGES, capture_provenance


@pytest.fixture(autouse=True)
def captured_anew() -> Iterator[None]:
    capture_provenance.cache_clear()
    yield
    capture_provenance.cache_clear()


def test_versions_are_told_and_a_missing_package_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("pyarrow", "no-such-package-anywhere"))
    told = capture_provenance()
    assert told["packages"]["pyarrow"].count(".") >= 1
    assert told["packages"]["no-such-package-anywhere"] is None
    assert told["python"] == platform.python_version()
    assert told["cpus"] == os.cpu_count()


def test_it_goes_into_a_manifest_and_names_no_person_and_no_path() -> None:
    told = capture_provenance()
    text = json.dumps(told)
    assert set(told["packages"]) == set(PACKAGES)
    assert os.path.expanduser("~") not in text
    assert os.getcwd() not in text
    assert getpass.getuser() not in text


@pytest.mark.parametrize(
    "failure", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)], ids=["no git", "git hangs"]
)
def test_without_git_the_commit_is_null(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(provenance.subprocess, "run", fail)
    told = capture_provenance()
    assert (told["commit"], told["uncommitted_changes"]) == (None, False)


def test_outside_a_repository_the_commit_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess(["git"], 128, stdout="", stderr="not a git repository")
    monkeypatch.setattr(provenance.subprocess, "run", lambda *_, **__: failed)
    assert capture_provenance()["commit"] is None
