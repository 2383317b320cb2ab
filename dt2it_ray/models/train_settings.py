"""Which settings of training a reward model change its weights. Imports no model library."""

from typing import Literal

from pydantic import Field

from dt2it_ray.models.evaluation_settings import EvaluationSettings
from dt2it_ray.models.loss_settings import LossSettings
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.sampler_settings import SamplerSettings
from dt2it_ray.settings import Settings


class TrainCollateSettings(CollateSettings):
    """Limits in training, where images are smaller than in evaluation (arXiv 2604.19544)."""

    image_max_pixels: int | None = Field(default=268_324, ge=1)
    """Larger images are shrunk to this many pixels."""


class TrainSettings(Settings):
    """How a reward model is trained. Defaults are those of arXiv 2604.19544 where it names them.

    Worker count, micro-batch size and threads are placement: they change the order of float sums, so weights agree
    between them up to rounding only. With the same three, the same settings give the same bytes.
    """

    epochs: int = Field(default=1, ge=1)
    """Passes over the pairs."""
    global_batch_pairs: int = Field(default=512, ge=1)
    """Pairs of one optimizer step, over all workers and micro-batches."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """Peak of the cosine schedule."""
    head_learning_rate: float | None = Field(default=None, gt=0)
    """Peak for the new reward head; None: that of the rest, as published. A head that learns much faster reads what the
    backbone knows already, and a backbone that barely moves learns fewer wrong labels by heart."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decay of matrices; norms are spared. Unpublished: the default of common trainers."""
    beta2: float = Field(default=0.999, gt=0, lt=1)
    """AdamW's second-moment decay. Unpublished: the default of common trainers."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm. Unpublished: the default of common trainers."""
    zero_stage: Literal[0, 1, 2, 3] = 2
    """What DeepSpeed ZeRO splits over the workers: optimizer state (1), gradients too (2), weights too (3)."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of weights and gradients. bfloat16 as published, on GPUs; float32 where there is no accelerator."""
    model: ModelSettings = ModelSettings()
    """What the reward model is made of, and which of its weights learn."""
    loss: LossSettings = LossSettings()
    """What is minimised."""
    sampler: SamplerSettings = SamplerSettings()
    """How often, or with what weight, each pair is learned from."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """On which held-out pairs it is measured while it runs."""
    seed: int = 0
    """Draws the new head and the order of the pairs."""
    collate: TrainCollateSettings = TrainCollateSettings()
    """Token and pixel limits."""
