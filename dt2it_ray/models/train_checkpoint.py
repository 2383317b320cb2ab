"""How the state of a training goes to a checkpoint and comes back from it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dt2it_ray.errors import StoreError
from dt2it_ray.models.checkpoint_parts import WORKERS_FILE, list_part
from dt2it_ray.models.train_job import Session
from dt2it_ray.models.train_reshape import is_whole, take_over

CHECKPOINT_TAG = "state"
ARRAYS_FILE = "arrays.npz"


def save_checkpoint(
    engine: Any,
    state: Mapping[str, Any],
    metrics: Mapping[str, Any],
    session: Session,
    arrays: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Store weights, optimizer, `state` (plain values) and `arrays`, the same on all workers, of all workers."""
    with tempfile.TemporaryDirectory(prefix="dt2it-checkpoint-") as folder:
        # The newest step needs no "latest" file: the tag is always the same.
        engine.save_checkpoint(folder, tag=CHECKPOINT_TAG, client_state=dict(state), save_latest=False)
        if session.rank == 0 and arrays:
            named: Any = dict(arrays)
            np.savez(Path(folder, ARRAYS_FILE), **named)
        list_part(Path(folder), session.rank, session.world_size)
        session.report(metrics, folder)


def restore_arrays(folder: str) -> dict[str, np.ndarray]:
    """The `arrays` of a checkpoint."""
    path = Path(folder, ARRAYS_FILE)
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return dict(arrays)


def restore_checkpoint(engine: Any, folder: str, workers: int) -> Mapping[str, Any]:
    """Take weights and optimizer from a checkpoint, of any number of workers, and return its `state`.

    With the same number, training goes on bit for bit; with another, up to rounding.

    Raises:
        StageFailed: see `take_over`. StoreError: it is no checkpoint of a training.
    """
    before = int(Path(folder, WORKERS_FILE).read_text())
    if before != workers and not is_whole(engine):
        return take_over(engine, Path(folder, CHECKPOINT_TAG), before)
    found, state = engine.load_checkpoint(folder, tag=CHECKPOINT_TAG)
    if found is None:
        raise StoreError(f"{folder} holds no checkpoint of this training; delete it to start again from the first step")
    return state
