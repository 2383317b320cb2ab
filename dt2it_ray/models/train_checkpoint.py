"""How the state of a training goes to a checkpoint and comes back from it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dt2it_ray.errors import StageFailed, StoreError
from dt2it_ray.models.train_job import Session

CHECKPOINT_TAG = "state"
WORKERS_FILE = "workers"
"""In a checkpoint: how many workers made it. DeepSpeed's optimizer states are cut for that number."""


def save_checkpoint(engine: Any, state: Mapping[str, Any], metrics: Mapping[str, Any], session: Session) -> None:
    """Store weights, optimizer and `state` (plain values, the same on all workers) of all workers."""
    with tempfile.TemporaryDirectory(prefix="dt2it-checkpoint-") as folder:
        # The newest step needs no "latest" file: the tag is always the same.
        engine.save_checkpoint(folder, tag=CHECKPOINT_TAG, client_state=dict(state), save_latest=False)
        if session.rank == 0:
            Path(folder, WORKERS_FILE).write_text(str(session.world_size))
        session.report(metrics, folder)


def restore_checkpoint(engine: Any, folder: str, workers: int) -> Mapping[str, Any]:
    """Take weights and optimizer from a checkpoint and return its `state`.

    Raises:
        StageFailed: it was made by another number of workers. StoreError: it is no checkpoint of a training.
    """
    before = int(Path(folder, WORKERS_FILE).read_text())
    if before != workers:
        raise StageFailed(
            f"it was begun with {before} workers and cannot go on with {workers}: set training.workers={before} again, "
            "or delete the checkpoints to start from the first step."
        )
    found, state = engine.load_checkpoint(folder, tag=CHECKPOINT_TAG)
    if found is None:
        raise StoreError(f"{folder} holds no checkpoint of this training; delete it to start again from the first step")
    return state
