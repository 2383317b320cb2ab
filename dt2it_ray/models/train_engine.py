"""How a model in training gets its optimizer: DeepSpeed ZeRO as settings and placement say."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.critique import CritiqueAware
from dt2it_ray.models.language_model import LanguageModel
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.shortcut import ShortcutAware
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_reshape import is_whole

PEAK = "peak_lr"
"""Where a group of the optimizer's parameters has its peak learning rate."""


def deepspeed_config(job: TrainJob, schedule: Schedule, parameters: int) -> dict[str, Any]:
    """DeepSpeed's configuration. Sizes of buckets follow the model, so that a small one does not reserve gigabytes."""
    settings = job.settings
    bucket = min(parameters + 1024, 500_000_000)
    return {
        "train_micro_batch_size_per_gpu": job.micro_batch_pairs,
        "gradient_accumulation_steps": schedule.micro_batches,
        "train_batch_size": job.micro_batch_pairs * schedule.micro_batches * schedule.world_size,
        "gradient_clipping": settings.max_grad_norm,
        "bf16": {"enabled": settings.precision == "bfloat16"},
        "zero_optimization": {
            "stage": settings.zero_stage,
            "reduce_bucket_size": bucket,
            "allgather_bucket_size": bucket,
            "overlap_comm": job.device != "cpu",
            **_offload(job),
        },
        # Its own one is compiled at the first start.
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
        "optimizer": {
            "type": "AdamW",
            # Every step sets its rates, and that which DeepSpeed may take at the start changes nothing. DeepSpeed's own
            # optimizers are compiled at the first start.
            "params": {"lr": 0.0, "betas": [0.9, settings.beta2], "torch_adam": True},
        },
        "steps_per_print": 1_000_000_000,
    }


def _offload(job: TrainJob) -> dict[str, Any]:
    """What DeepSpeed is told of the machine's memory. Raises ConfigError where ZeRO does not split it so."""
    least, stage = {"none": 0, "optimizer": 1, "weights": 3}[job.offload], job.settings.zero_stage
    if stage < least:
        raise ConfigError(f"training.offload={job.offload} needs train.zero_stage={least} or more, and it is {stage}")
    place = {"device": "cpu", "pin_memory": job.device != "cpu"}
    told = {"offload_optimizer": place} if least else {}
    return told | ({"offload_param": place} if job.offload == "weights" else {})


def start_deepspeed(model: RewardModel | LanguageModel, job: TrainJob, schedule: Schedule) -> Any:
    """DeepSpeed's engine around the model, beside its proxy or its critiques if a reward model's loss has them."""
    import deepspeed
    import deepspeed.ops

    if job.device == "cpu":
        # Else DeepSpeed compiles an all-reduce of its own at the first start, where it finds a compiler.
        deepspeed.ops.__compatible_ops__ = {}
    settings = job.settings
    model.train()
    if isinstance(model, RewardModel):
        model.attention = job.attention
    if job.gradient_checkpointing:
        model.backbone.gradient_checkpointing_enable()
    learner: Any = model
    head, of_proxy = list(model.readers.parameters()), []
    if isinstance(model, RewardModel) and settings.loss.shortcut.enabled:
        learner = ShortcutAware(model, settings.loss.shortcut, settings.seed).to(job.device)
        of_proxy, more = learner.of_proxy()
        head += more
    if isinstance(model, RewardModel) and settings.loss.critique.taught:
        learner = CritiqueAware(model, job.base, settings.zero_stage)
    trained = [parameter for parameter in model.backbone.parameters() if parameter.requires_grad] + of_proxy
    decay, rate = settings.weight_decay, settings.learning_rate
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay, PEAK: rate},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0, PEAK: rate},
        {"params": head, "weight_decay": decay, PEAK: settings.head_learning_rate or rate},
    ]
    # DeepSpeed takes groups, though its annotation says a module; none may be empty.
    filled: Any = [group for group in groups if group["params"]]
    engine, *_ = deepspeed.initialize(
        model=learner,
        model_parameters=filled,
        config=deepspeed_config(job, schedule, sum(parameter.numel() for parameter in [*trained, *head])),
        dist_init_required=False,
    )
    if settings.precision == "bfloat16" and settings.zero_stage == 0:
        _uncount_step(engine)
    return engine


def _uncount_step(engine: Any) -> None:
    """Let Adam's first step be its first: without ZeRO DeepSpeed takes one of zeros, to make the moments of weights in
    half precision, and counted it makes the next ones up to a quarter smaller."""
    for state in engine.optimizer.optimizer.state.values():
        state["step"].zero_()


def whole_weights(model: RewardModel | LanguageModel, zero_stage: int) -> AbstractContextManager[None]:
    """While this lasts, every worker holds all weights (ZeRO-3 splits them over the workers)."""
    if zero_stage < 3:
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(list(model.parameters()))


def update(engine: Any) -> float:
    """Have the optimizer take its step; returns the norm of the gradient, over all workers, before it was clipped."""
    whole = None
    if is_whole(engine):
        # Without ZeRO, in float32, DeepSpeed clips and does not tell the norm.
        gradients = [weight.grad for weight in engine.module.parameters() if weight.grad is not None]
        whole = float(torch.nn.utils.get_total_norm(gradients))
    engine.step()
    return float(engine.get_global_grad_norm() or 0.0) if whole is None else whole
