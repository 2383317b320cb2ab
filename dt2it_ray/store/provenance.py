"""Where a run was made: code version, package versions, machine; never part of a fingerprint."""

import functools
import os
import platform
import subprocess
from importlib import metadata
from typing import Any

PACKAGES = ("dt2it-ray", "torch", "ray", "transformers", "deepspeed", "pyarrow", "numpy", "pillow", "vllm")


@functools.cache
def capture_provenance() -> dict[str, Any]:
    """Versions and machine facts that help to reproduce a run, captured once per process. No user name, no path."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
