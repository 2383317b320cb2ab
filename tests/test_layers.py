"""The house rule that keeps the rest simple: imports point down, siblings do not know each other."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dt2it_ray"

# From the top down. Folders on one line are siblings.
LAYERS = [
    {"cli"},
    {"speed"},
    {"pipeline"},
    {"engine", "serving"},
    {"stages"},
    {"rules", "models", "report"},
    {"data", "store"},
    {"settings"},
    {"errors"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# The one place for each heavy library; anything else must import without it.
HEAVY = {
    "ray": {"engine", "serving", "speed"},
    "torch": {"models", "speed"},
    "transformers": {"models", "speed"},
    "deepspeed": {"models"},
    "vllm": {"models"},
}


def imports_of(path: Path) -> set[str]:
    """Dotted names of every module that a file imports, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(path: Path) -> str:
    """The folder (or top-level module) of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = part_of(path)
    if here == "__init__":
        return
    for name in imports_of(path):
        if not name.startswith("dt2it_ray."):
            continue
        there = name.split(".")[1]
        if there == "__version__":
            continue
        below = LEVEL[there] > LEVEL[here]
        assert there == here or below, f"{path}: {here}/ must not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_folder(path: Path) -> None:
    for name in imports_of(path):
        allowed = HEAVY.get(name.split(".")[0])
        assert allowed is None or part_of(path) in allowed, f"{path} must not import {name}"


def test_nothing_imports_jobs_or_cluster() -> None:
    for path in FILES:
        assert not {name.split(".")[0] for name in imports_of(path)} & {"jobs", "cluster"}, path


def test_no_file_grows_past_the_limit() -> None:
    tests = Path(__file__).parent.rglob("*.py")
    long = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in [*FILES, *tests]}
    assert {name: lines for name, lines in long.items() if lines > 250} == {}
