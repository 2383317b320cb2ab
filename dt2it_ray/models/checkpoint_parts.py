"""Which files the workers of a training put into a checkpoint: whether it is whole can be told without opening it."""

import json
from pathlib import Path

WORKERS_FILE = "workers"
"""In a checkpoint: how many workers made it. Its optimizer states are cut for that number."""


def list_part(folder: Path, rank: int, workers: int) -> None:
    """Note beside the files of one worker what they are; worker 0 also notes how many workers there are."""
    if rank == 0:
        (folder / WORKERS_FILE).write_text(str(workers))
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    (folder / _part(rank)).write_text(json.dumps(sizes))


def is_complete(checkpoint: Path) -> bool:
    """Whether every file of every worker is there and has its length."""
    try:
        workers = int((checkpoint / WORKERS_FILE).read_text())
        parts = [json.loads((checkpoint / _part(rank)).read_bytes()) for rank in range(workers)]
        return all((checkpoint / name).stat().st_size == size for part in parts for name, size in part.items())
    except (FileNotFoundError, ValueError):
        return False


def _part(rank: int) -> str:
    return f"files-{rank}.json"
