"""How answers are sampled from a chat server: many at once, none that the cache already has."""

import base64
from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.chat import Message
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.images import BadImage, media_type
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.endpoint.client import EndpointClient
from dt2it_ray.models.endpoint.reply import ChatReply
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.loop_thread import LoopThread, settled
from dt2it_ray.models.message_parts import parts_of, refused_messages
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.paid_replies import PaidReplies, drawn_for, side_by_side
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.response_cache import CachedReply, ResponseCache

CHARACTERS_PER_TOKEN = 3
TOKENS_PER_IMAGE = 1000
"""Guesses for the limit of tokens a minute."""


class EndpointGenerator:
    """Implements `Generator`. `generate` may be called from several threads; their requests run side by side, within
    the same limits."""

    calls_at_once = 3
    """Threads that should ask at the same time, so that a slow request at the end of a batch leaves no place idle."""

    def __init__(
        self, settings: EndpointSettings, sampling: SamplingSettings, cache: ResponseCache | None = None
    ) -> None:
        self._settings, self._sampling = settings, sampling
        self._replies = PaidReplies(cache, settings.input_price, settings.output_price)
        self._identity = {**settings.model_dump(), "sampling": sampled_by(sampling), "seed": sampling.seed}
        self._client = EndpointClient(settings)
        self._loop = LoopThread("endpoint")
        self.usage = self._replies.usage

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        """`samples` completions per request, in the order given; a request without all of them is `Dropped`.

        Raises:
            StageFailed: the server answers no request at all, or is down. StoreError: the cache cannot be used.
        """
        return self._loop.run(side_by_side(self._answer(request) for request in requests))

    def close(self) -> None:
        """Close the connections when no request is under way any more. Closing again does nothing."""
        self._loop.close(self._end)

    async def _end(self) -> None:
        await settled()
        await self._client.aclose()

    async def _answer(self, request: GenerationRequest) -> list[Completion] | Dropped:
        # The server alone knows its special tokens.
        refused = refused_messages(request.messages, len(request.images), special=())
        if refused is not None:
            return refused
        try:
            messages = wire_messages(request.messages, request.images)
        except BadImage as error:
            return Dropped(DropReason.IMAGE_UNDECODABLE, str(error))
        identity = {**self._identity, **drawn_for(request, self._sampling.temperature)}
        return await self._replies.complete(request, identity, lambda places: self._ask(request, messages, places))

    async def _ask(
        self, request: GenerationRequest, messages: Sequence[Message], samples: Sequence[int]
    ) -> list[CachedReply] | Dropped:
        body = {**self._body(request, samples), "messages": messages}
        told = await self._client.complete(body, self._tokens(request, len(samples)))
        return told if isinstance(told, Dropped) else _split(told)

    def _body(self, request: GenerationRequest, samples: Sequence[int]) -> dict[str, Any]:
        seed = int(content_id("sample", self._sampling.seed, request.key, samples[0])[:7], 16)
        body = {"n": len(samples), "seed": seed, **sampled_by(self._sampling)}
        if request.schema is None or not self._settings.json_schema:
            return body
        schema = {"name": "reply", "strict": True, "schema": dict(request.schema)}
        return body | {"response_format": {"type": "json_schema", "json_schema": schema}}

    def _tokens(self, request: GenerationRequest, samples: int) -> int:
        """A guess of what the request takes."""
        characters = sum(len(part.get("text", "")) for message in request.messages for part in parts_of(message))
        prompt = characters // CHARACTERS_PER_TOKEN + len(request.images) * TOKENS_PER_IMAGE
        return prompt + samples * self._sampling.max_new_tokens


def sampled_by(sampling: SamplingSettings) -> dict[str, Any]:
    """The fields of a chat request that say how an answer is drawn."""
    return {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_new_tokens}


def wire_messages(messages: Sequence[Message], images: Sequence[bytes]) -> list[Message]:
    """Messages as chat servers read them: the n-th image part carries the n-th image as a data: URL. There must be as
    many of both.

    Raises:
        BadImage: an image is of no known kind.
    """
    contents = iter(images)
    return [
        {**message, "content": [_wire_part(part, contents) for part in parts_of(message)]}
        if not isinstance(message["content"], str)
        else message
        for message in messages
    ]


def _wire_part(part: dict[str, Any], images: Any) -> dict[str, Any]:
    if part["type"] != "image":
        return part
    content = next(images)
    encoded = base64.b64encode(content).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{media_type(content)};base64,{encoded}"}}


def _split(told: ChatReply) -> list[CachedReply]:
    """The answers one by one. Servers tell tokens of all together: the prompt's go to the first, the rest is shared."""
    share, rest = divmod(told.output_tokens, len(told.choices))
    return [
        CachedReply(choice.text, choice.finish_reason, 0 if place else told.input_tokens, share + (place < rest))
        for place, choice in enumerate(told.choices)
    ]
