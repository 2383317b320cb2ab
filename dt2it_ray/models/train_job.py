"""What a training worker is told: the job, as plain values, and whoever runs it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from dt2it_ray.models.reward_settings import Attention
from dt2it_ray.models.train_settings import TrainSettings

CHECKPOINTS = "checkpoints"
"""Folder inside the output folder for what is needed to go on; removed when the model is there."""


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """One training: what to learn from what, and where to put it. Plain values, so that it travels to workers."""

    settings: TrainSettings
    name: str
    """Name of the reward model, e.g. `iter-01/voter-0`."""
    base: str
    """Folder of the checkpoint to start from."""
    pairs_paths: tuple[str, ...]
    """Parquet part files of the pairs, in order."""
    rows_paths: tuple[tuple[str, ...], ...]
    """See `open_training_rows`."""
    held_out_paths: tuple[str, ...] = ()
    """Part files of pairs to evaluate on, whose rows are among those of `rows_paths`; see `EvaluationSettings`."""
    output: str
    """Folder for the model, the training log and the pairs that could not be used."""
    micro_batch_pairs: int = 16
    """Most pairs of one forward pass; without effect beside `micro_batch_tokens`."""
    micro_batch_tokens: int | None = None
    """Most tokens of one forward pass, or one group; None: passes are bounded by pairs."""
    threads: int = 1
    """CPU threads of a worker."""
    checkpoint_every_steps: int = 50
    device: str = "cpu"
    gradient_checkpointing: bool = False
    """Compute activations twice to save memory. Changes no weight."""
    attention: Attention = "auto"
    """Which kernel of attention reads packed rows."""
    offload: Literal["none", "optimizer", "weights"] = "none"
    """What stays in the machine's memory in place of the device's."""
    peak_tflops: float = 0.0
    """What one worker's device can do at best; 0: as its name says, if it is known."""
    tensorboard: bool = False
    """Write the log for TensorBoard too."""
    wandb_project: str = ""
    """A project of Weights & Biases that hears the log too; empty: none does."""
    mlflow_uri: str = ""
    """An MLflow tracking server that hears the log too; empty: none does."""
    mlflow_experiment: str = "dt2it_ray"


class Session(Protocol):
    """What a worker asks of whoever runs it."""

    rank: int
    world_size: int

    def checkpoint(self) -> AbstractContextManager[str | None]:
        """A local folder with this worker's newest checkpoint while the block lasts, or None at the start."""
        ...

    def report(self, metrics: Mapping[str, Any], folder: str) -> None:
        """Store this worker's part of a checkpoint from a local folder. All workers call it and wait for each other."""
        ...

    def show(self, figures: Mapping[str, float]) -> None:
        """Show the figures of a step where the session is watched. Worker 0 calls it."""
        ...

    def leaving(self) -> bool:
        """Whether this worker was told to end (SIGTERM)."""
        ...

    def warned(self) -> bool:
        """Whether a machine of the workers is about to go. All workers call it and hear the same."""
        ...
