"""Where and how fast a training runs, and who hears of it: settings that change no fingerprint."""

from typing import Literal, Self

from pydantic import Field, model_validator

from dt2it_ray.models.reward_settings import Attention
from dt2it_ray.settings import Settings


class TrainPlacement(Settings):
    """Where and how fast a training runs. Workers, threads and the size of passes change rounding, nothing else."""

    workers: int = Field(default=1, ge=1)
    max_workers: int = Field(default=0, ge=0)
    """Most workers of an elastic training: it begins with as many as there is room for, at least `workers`, and goes on
    from its last checkpoint with another number when machines come or go. 0: always `workers`."""
    resize_check_s: float = Field(default=60.0, gt=0)
    """How often an elastic training looks whether there is room for another number of workers (Ray Train's default)."""
    cpus: float = Field(default=1, gt=0)
    """CPU cores of each worker; also its threads."""
    gpus: float = Field(default=0, ge=0, le=1)
    """GPUs of each worker; above 0 it computes on cuda."""
    micro_batch_pairs: int = Field(default=16, ge=1)
    """Most pairs of one forward pass of a worker; without effect beside `micro_batch_tokens`."""
    micro_batch_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of one forward pass of a worker, in place of a number of pairs: as many pairs as fit, so that passes
    are about equally large where pairs are not. A prompt counts once; with `model.shared_prompt=false` padding counts.
    A pair that has more is a pass of its own. None: passes are bounded by pairs."""
    checkpoint_every_steps: int = Field(default=50, ge=1)
    keep_checkpoints: int = Field(default=1, ge=1)
    """The newest ones that are on disk until the end. More than one for a disk that may lose the newest."""
    max_failures: int = Field(default=3, ge=0)
    """How often a training whose worker died is started again from its last checkpoint."""
    gradient_checkpointing: bool = False
    """Compute activations twice to save memory."""
    attention: Attention = "auto"
    """Which kernel of attention reads packed rows. `auto`: FlexAttention on a GPU where it compiles, else `blocks`.
    Changes rounding only."""
    peak_tflops: float = Field(default=0.0, ge=0)
    """What the device of one worker can do at best, in TFLOP/s, for the share that a training uses of it (`mfu` in the
    log). 0: as the makers say of known GPUs; of others, and of CPUs, the share is not told."""
    tensorboard: bool = False
    """Write the training log for TensorBoard too, beside its JSON lines."""
    wandb_project: str = ""
    """A project of Weights & Biases that hears the log too; its own variables (WANDB_API_KEY, WANDB_MODE) must be set
    for the workers. Needs the extra `wandb`."""
    mlflow_uri: str = ""
    """An MLflow tracking server (http:, sqlite:) that hears the log too. Needs the extra `mlflow`."""
    mlflow_experiment: str = Field(default="dt2it_ray", min_length=1)
    """The experiment in MLflow."""
    offload: Literal["none", "optimizer", "weights"] = "none"
    """What a GPU leaves in the memory of its machine, at the price of copying: the optimizer, which then computes there
    (train.zero_stage 1 to 3), or the weights too (train.zero_stage=3). Changes rounding only."""
    max_dropped: float = Field(default=0.2, ge=0, le=1)
    """As for other steps; a pair is dropped if its image cannot be decoded or it is too long."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if 0 < self.max_workers < self.workers:
            raise ValueError(
                f"max_workers={self.max_workers} is less than workers={self.workers}, the fewest there may be"
            )
        if self.attention == "flex" and not self.gpus:
            raise ValueError("attention=flex cannot learn on a CPU: set gpus above 0, or attention=auto or blocks")
        return self

    def least(self) -> dict[str, float]:
        """What its workers need before the first step, in Ray's words."""
        return {"CPU": self.workers * self.cpus, "GPU": self.workers * self.gpus}
