"""What vLLM is told: how to start an engine, and how to draw the answers to one request."""

from collections.abc import Mapping
from typing import Any

from dt2it_ray.data.ids import content_id
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.vllm.settings import VllmSettings

CPU_BATCH_TOKENS = 4096
"""Tokens of a step on CPUs, at least; vLLM's own default there."""
CPU_CACHE_BYTES = 2 * 2**30
"""For keys and values on CPUs, unless VLLM_CPU_KVCACHE_SPACE (GiB) is set; vLLM would take most of the memory."""


def engine_arguments(folder: str, settings: VllmSettings, sampling: SamplingSettings) -> dict[str, Any]:
    """The fields of vLLM's engine arguments for a checkpoint, with both groups of settings.

    Raises:
        StoreError: the checkpoint has no config. ConfigError: answers leave no room for a prompt.
    """
    longest = settings.max_model_len or _needed_length(folder, sampling)
    if longest <= sampling.max_new_tokens:
        raise ConfigError(
            f"max_new_tokens={sampling.max_new_tokens} leaves no room for a prompt: {folder} takes {longest} tokens "
            "with both. Lower it, or raise vllm.max_model_len if the checkpoint can."
        )
    collate = sampling.collate
    pixels = {"min_pixels": collate.image_min_pixels, "max_pixels": collate.image_max_pixels}
    parallel = settings.tensor_parallel_size
    arguments = {
        "model": folder,
        "dtype": settings.dtype,
        "max_model_len": longest,
        "limit_mm_per_prompt": {"image": settings.images_per_prompt, "video": 0},
        "mm_processor_kwargs": {name: value for name, value in pixels.items() if value is not None} or None,
        "load_format": settings.load_format,
        "tensor_parallel_size": parallel,
        # Ray placed this worker with all of its GPUs; vLLM's own use of Ray would look for others.
        "distributed_executor_backend": "mp" if parallel > 1 else None,
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "max_num_seqs": settings.max_num_seqs,
        "enforce_eager": settings.enforce_eager,
        "enable_prefix_caching": True,
        # Models fill a reply with the line breaks that JSON allows, up to the limit. `auto` would not forbid them.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "disable_log_stats": True,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def on_this_platform(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The engine arguments as the accelerator at hand needs them. Imports vLLM."""
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]

    if not current_platform.is_cpu():
        return dict(arguments)
    return {
        **arguments,
        # Smaller types end the process on CPUs without instructions for them, and compiling needs a compiler.
        "dtype": "float32" if arguments["dtype"] == "auto" else arguments["dtype"],
        "enforce_eager": True,
        "kv_cache_memory_bytes": CPU_CACHE_BYTES,
        # The CPU runner of 0.29 dies of a prompt with a seed that is read in parts: it takes a draw back, which
        # generators on CPUs cannot ("CPU Generator does not use offset"). So prompts are read whole.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(arguments["max_model_len"], CPU_BATCH_TOKENS),
    }


def sampling_parameters(sampling: SamplingSettings, request: GenerationRequest, first: int, samples: int) -> Any:
    """vLLM's `SamplingParams` for so many samples of a request, from the one with the number `first`."""
    from vllm.sampling_params import (  # pyright: ignore[reportMissingImports]
        RequestOutputKind,
        SamplingParams,
        StructuredOutputsParams,
    )

    held = None if request.schema is None else StructuredOutputsParams(json=dict(request.schema))
    return SamplingParams(
        n=samples,
        # vLLM adds the number of the sample, counted from 0, to the seed of the first.
        seed=int(content_id("sample", sampling.seed, request.key)[:15], 16) + first,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        structured_outputs=held,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _needed_length(folder: str, sampling: SamplingSettings) -> int:
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} has no usable config.json: {str(error).splitlines()[0]}") from None
    needed = sampling.collate.max_length + sampling.max_new_tokens
    return min(needed, config.get_text_config().max_position_embeddings)
