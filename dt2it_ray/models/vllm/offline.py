"""vLLM's own offline loop, asked for the same as our generator: what the speed of that is measured against."""

from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.vllm.arguments import engine_arguments, on_this_platform, sampling_parameters
from dt2it_ray.models.vllm.prompt import ready_prompt
from dt2it_ray.models.vllm.settings import VllmSettings


class OfflineLoop:
    """`vllm.LLM` on a checkpoint, with an engine of its own."""

    def __init__(self, folder: str, settings: VllmSettings, sampling: SamplingSettings) -> None:
        from vllm.entrypoints.llm import LLM  # pyright: ignore[reportMissingImports]

        self._sampling = sampling
        self._llm: Any = LLM(**on_this_platform(engine_arguments(folder, settings, sampling)))

    def answer(self, requests: Sequence[GenerationRequest]) -> int:
        """How many tokens the answers to all requests have; all are given to vLLM in one call.

        Raises:
            StageFailed: a request cannot be asked.
        """
        ready = [ready_prompt(each.messages, each.images, self._llm.get_tokenizer(), ()) for each in requests]
        prompts = [each.for_engine() for each in ready if not isinstance(each, Dropped)]
        if len(prompts) < len(requests):
            raise StageFailed(f"{len(requests) - len(prompts)} of {len(requests)} requests cannot be asked")
        how = [sampling_parameters(self._sampling, each, 0, each.samples) for each in requests]
        outputs = self._llm.generate(prompts, how, use_tqdm=False, tokenization_kwargs={"add_special_tokens": False})
        return sum(len(answer.token_ids) for output in outputs for answer in output.outputs)

    def close(self) -> None:
        """End the engine and give its memory back."""
        self._llm.llm_engine.engine_core.shutdown()
