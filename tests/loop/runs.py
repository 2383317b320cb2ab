"""The smoke run as a user starts it, and how its files are read."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "jobs" / "iterate.py"), "--config", str(ROOT / "jobs" / "configs" / "smoke.yaml")]
LIMIT_S = 280


def run_loop(root: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run the loop to its end."""
    return subprocess.run(
        [*COMMAND, f"root={root}", *overrides], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def summary_of(run: Path) -> dict:
    """What summary.json holds."""
    return json.loads((run / "summary.json").read_text())


def rows_of(run: Path, step: str) -> list[dict]:
    """Rows of a step as its manifest lists them."""
    manifest = json.loads((run / step / "manifest.json").read_text())
    parts = [run / step / manifest["fingerprint"] / file["name"] for file in manifest["files"]]
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def hashes_of(run: Path) -> dict[str, str]:
    """sha256 by file of every sealed table and all weights, as the manifests list them."""
    manifests = [json.loads(path.read_text()) for path in sorted(run.rglob("manifest.json"))]
    return {
        f"{manifest['step']}/{file['name']}": file["sha256"]
        for manifest in manifests
        for file in [*manifest["files"], *manifest["dropped"]]
        if file["name"].endswith((".parquet", ".safetensors"))
    }


def copy_steps(finished: Path, run: Path, wanted: Callable[[str], bool]) -> None:
    """Make a run of which the steps with wanted names are done already."""
    for manifest in finished.rglob("manifest.json"):
        if wanted(json.loads(manifest.read_text())["step"]):
            shutil.copytree(manifest.parent, run / manifest.parent.relative_to(finished))
