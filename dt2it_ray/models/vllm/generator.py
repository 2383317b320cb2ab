"""How answers are sampled with vLLM: all requests of all callers in flight at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.paid_replies import PaidReplies, drawn_for, side_by_side
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.response_cache import CachedReply, ResponseCache
from dt2it_ray.models.vllm.arguments import engine_arguments, sampling_parameters
from dt2it_ray.models.vllm.engine import AsyncEngine
from dt2it_ray.models.vllm.prompt import ready_prompt
from dt2it_ray.models.vllm.settings import VllmSettings

TRIES = 3
"""vLLM asks to send a request again when its caches of prepared images have drifted apart."""
READ_AT_ONCE = 32
"""Prompts that are being read. Their decoded images are in memory, and vLLM prepares one after the other."""
WHOLE = frozenset({"stop", "length"})
"""Finish reasons of answers; others are troubles."""
LENGTH_PARAMETERS = frozenset({"input_text", "input_tokens"})
"""What vLLM blames when a text alone is too long."""


class VllmGenerator:
    """Implements `Generator`. `generate` may be called from several threads; their requests run side by side.

    A sample's seed depends on the sampling's seed, the request's key and the sample's number only. What else runs
    beside it may still move the last digits of its probabilities, and so, rarely, a token."""

    calls_at_once = 2
    """Threads that should ask at the same time, so that the slow end of a batch leaves no GPU idle."""

    def __init__(
        self,
        backbone: Backbone,
        settings: VllmSettings,
        sampling: SamplingSettings,
        cache: ResponseCache | None = None,
    ) -> None:
        """Start an engine, which takes from half a minute to several.

        Raises:
            StageFailed: vLLM is not installed or cannot run the checkpoint. StoreError: it has no config.
            ConfigError: answers of `max_new_tokens` leave no room for a prompt.
        """
        self._sampling = sampling
        # Precision is a setting of vLLM's own.
        drawn = sampling.model_dump(exclude={"dtype"})
        self._identity = {"vllm": settings.model_dump(), "checkpoint": backbone.digest, **drawn}
        self._replies = PaidReplies(cache)
        self.usage = self._replies.usage
        arguments = engine_arguments(backbone.path, settings, sampling)
        self._longest = min(sampling.collate.max_length, arguments["max_model_len"] - sampling.max_new_tokens)
        self._reading = asyncio.Semaphore(READ_AT_ONCE)
        self._engine = AsyncEngine(arguments)
        self._special = [token for token in self._engine.tokenizer.get_added_vocab() if token]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        """`samples` completions per request, in the order given; a request without all of them is `Dropped`.

        Raises:
            StageFailed: the engine died; in a Ray worker the process ends instead.
            StoreError: the cache cannot be used.
        """
        return self._engine.run(side_by_side(self._complete(request) for request in requests))

    def close(self) -> None:
        """End the engine and give its memory back."""
        self._engine.close()

    async def _complete(self, request: GenerationRequest) -> list[Completion] | Dropped:
        identity = {**self._identity, **drawn_for(request, self._sampling.temperature)}
        return await self._replies.complete(request, identity, lambda places: self._ask(request, places))

    async def _ask(self, request: GenerationRequest, places: Sequence[int]) -> list[CachedReply] | Dropped:
        from vllm.exceptions import VLLMClientError  # pyright: ignore[reportMissingImports]

        sampling = sampling_parameters(self._sampling, request, places[0], _run_length(places))
        ends: list[str] = []
        try:
            for _ in range(TRIES):
                async with self._reading:
                    prompt = await self._read(request)
                if isinstance(prompt, Dropped):
                    return prompt
                output = await self._engine.answer(prompt, sampling, request.key)
                ends = [str(answer.finish_reason) for answer in output.outputs]
                if WHOLE.issuperset(ends):
                    return _replies(output)
        except VLLMClientError as error:
            reason = DropReason.REQUEST_REFUSED
            if getattr(error, "parameter", None) in LENGTH_PARAMETERS:
                reason = DropReason.PROMPT_TOO_LONG
            return Dropped(reason, str(error))
        return Dropped(DropReason.REQUEST_REFUSED, f"vLLM gave up {TRIES} times, the last time with {ends}")

    async def _read(self, request: GenerationRequest) -> Any:
        """The prompt as the engine takes it, or why it cannot be asked."""
        asked = (request.messages, request.images, self._engine.tokenizer, self._special)
        # Decoding would keep the other requests waiting; a text is not worth the way to another thread.
        ready = await asyncio.to_thread(ready_prompt, *asked) if request.images else ready_prompt(*asked)
        if isinstance(ready, Dropped):
            return ready
        try:
            prompt = await self._engine.read(ready.for_engine())
        except ValueError as error:
            # Image processors refuse shapes that they cannot cut into patches; vLLM's own words name memory addresses.
            return Dropped(DropReason.IMAGE_UNDECODABLE, str(error.__cause__ or error))
        length = len(prompt["prompt_token_ids"])
        if length <= self._longest:
            return prompt
        return Dropped(DropReason.PROMPT_TOO_LONG, f"{length} tokens, more than {self._longest}", ready.text)


def _replies(output: Any) -> list[CachedReply]:
    """The answers one by one; the prompt's tokens are told with the first."""
    prompt = len(output.prompt_token_ids)
    return [
        CachedReply(answer.text, answer.finish_reason, 0 if place else prompt, len(answer.token_ids))
        for place, answer in enumerate(output.outputs)
    ]


def _run_length(places: Sequence[int]) -> int:
    """How many of the places follow one another without a gap, from the first."""
    return next((count for count, place in enumerate(places) if place != places[0] + count), len(places))
