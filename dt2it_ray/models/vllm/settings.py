"""How vLLM runs a checkpoint: what changes answers, and what only places them."""

from typing import Literal

from pydantic import Field

from dt2it_ray.settings import Settings


class VllmSettings(Settings):
    """An engine of vLLM 0.29 on each worker. Defaults are vLLM's own unless said otherwise."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of weights and of the forward pass. `auto`: the checkpoint's own (float16 for one in float32), on CPUs
    float32."""
    max_model_len: int | None = Field(default=None, ge=16)
    """Most tokens of a prompt and its answer together; a prompt that leaves no room for `max_new_tokens` is dropped.
    None: the sampling's `max_length` and `max_new_tokens`, or what the checkpoint can, if that is less. vLLM's own
    default, all that the checkpoint can, reserves memory for lengths that never come."""
    images_per_prompt: int = Field(default=8, ge=0)
    """Most images of a prompt; a prompt with more is dropped. vLLM's own default, 999, reserves memory for them."""
    load_format: str = Field(default="auto", min_length=1)
    """How weights are read. `dummy` takes random ones: true speed without a true model."""
    tensor_parallel_size: int = Field(default=1, ge=1, exclude=True)
    """GPUs that share one copy of the model; `placement.gpus` must be the same number."""
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1, exclude=True)
    """Part of each GPU's memory that the engine takes, weights and caches together."""
    max_num_seqs: int | None = Field(default=None, ge=1, exclude=True)
    """Most answers that grow at once. None: what vLLM finds right for the device."""
    enforce_eager: bool = Field(default=False, exclude=True)
    """Skip compilation and CUDA graphs: starts faster, answers slower. On CPUs it is never done."""
