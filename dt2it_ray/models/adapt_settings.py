"""Which settings of adapting a backbone to one's own answers change its weights. Imports no model library."""

from typing import Literal

from pydantic import Field

from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.train_settings import TrainCollateSettings, TrainSettings
from dt2it_ray.settings import Settings


class AdaptSettings(Settings):
    """How a backbone is fine-tuned as a language model before reward models start from it: supervised fine-tuning, as
    reward models of arXiv 2203.02155 start from. Where that paper says nothing, defaults are those of common trainers.

    Worker count, micro-batch size and threads are placement, as in training.
    """

    epochs: int = Field(default=1, ge=1)
    """Passes over the answers."""
    global_batch_answers: int = Field(default=128, ge=1)
    """Answers of one optimizer step, over all workers and micro-batches."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """Peak of the cosine schedule."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decay of matrices; norms are spared."""
    beta2: float = Field(default=0.999, gt=0, lt=1)
    """AdamW's second-moment decay."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    zero_stage: Literal[0, 1, 2, 3] = 2
    """What DeepSpeed ZeRO splits over the workers: optimizer state (1), gradients too (2), weights too (3)."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of weights and gradients. bfloat16 on GPUs; float32 where there is no accelerator."""
    freeze_vision: bool = True
    """Keep the vision tower as it is, as common trainers do. False where it never saw images like these."""
    freeze_projector: bool = True
    """Keep the layers that bring image features to the width of the text model as they are."""
    freeze_layers: int = Field(default=0, ge=0)
    """Keep the token embeddings and this many first layers of the text model as they are."""
    seed: int = 0
    """Draws the order of the answers."""
    collate: TrainCollateSettings = TrainCollateSettings()
    """Token and pixel limits."""

    def as_training(self) -> TrainSettings:
        """The same for the machinery that trains reward models. Where the answer begins is asked of the encoder by
        pooling over its tokens."""
        own = self.model_dump(exclude={"global_batch_answers", "freeze_vision", "freeze_projector", "freeze_layers"})
        frozen = {name: getattr(self, name) for name in ("freeze_vision", "freeze_projector", "freeze_layers")}
        model = ModelSettings(pooling="mean", shared_prompt=False, **frozen)
        return TrainSettings(**own, global_batch_pairs=self.global_batch_answers, model=model)
