"""How answers are sampled from a chat server: many at once, none that the cache already has."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.chat import Message
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.images import BadImage, media_type
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.endpoint.client import EndpointClient
from dt2it_ray.models.endpoint.reply import ChatReply
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.response_cache import CachedReply, ResponseCache, reply_key

CHARACTERS_PER_TOKEN = 3
TOKENS_PER_IMAGE = 1000
"""Guesses for the limit of tokens a minute."""


@dataclass
class Usage:
    """What was asked of the server, and what the cache saved."""

    replies: int = 0
    hits: int = 0
    spent: float = 0.0
    saved: float = 0.0


class EndpointGenerator:
    """Implements `Generator`. Replies go to the cache one by one, so that a killed job has paid for none in vain."""

    def __init__(
        self, settings: EndpointSettings, sampling: SamplingSettings, cache: ResponseCache | None = None
    ) -> None:
        self._settings, self._sampling, self._cache = settings, sampling, cache
        self._identity = {**settings.model_dump(), "sampling": sampled_by(sampling), "seed": sampling.seed}
        self._runner = asyncio.Runner()
        self._client = EndpointClient(settings)
        self.usage = Usage()

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        """`samples` completions per request, in the order given; a request without all of them is `Dropped`.

        Raises:
            StageFailed: the server answers no request at all. StoreError: the cache cannot be used.
        """
        return self._runner.run(self._generate(requests))

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.aclose())
        self._runner.close()

    async def _generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._answer(request)) for request in requests]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _answer(self, request: GenerationRequest) -> list[Completion] | Dropped:
        try:
            messages = wire_messages(request.messages, request.images)
        except BadImage as error:
            return Dropped(DropReason.IMAGE_UNDECODABLE, str(error))
        asked = (self._identity, request.messages, request.images, request.schema)
        keys = [reply_key(*asked, place) for place in range(request.samples)]
        replies = [await asyncio.to_thread(self._cache.get, key) if self._cache else None for key in keys]
        for reply in replies:
            self._count(reply, hit=True)
        while missing := [place for place, reply in enumerate(replies) if reply is None]:
            body = self._body(request, missing)
            told = await self._client.complete({**body, "messages": messages}, self._tokens(request, len(missing)))
            if isinstance(told, Dropped):
                return told
            # A server may give fewer than it was asked for, and is asked again for the rest.
            for place, reply in zip(missing, _replies(told), strict=False):
                replies[place] = reply
                self._count(reply, hit=False)
                if self._cache:
                    await asyncio.to_thread(self._cache.put, keys[place], reply)
        return [Completion(reply.text, reply.finish_reason, reply.output_tokens) for reply in replies if reply]

    def _body(self, request: GenerationRequest, samples: Sequence[int]) -> dict[str, Any]:
        seed = int(content_id("sample", self._sampling.seed, request.key, samples[0])[:7], 16)
        body = {"n": len(samples), "seed": seed, **sampled_by(self._sampling)}
        if request.schema is None or not self._settings.json_schema:
            return body
        schema = {"name": "reply", "strict": True, "schema": dict(request.schema)}
        return body | {"response_format": {"type": "json_schema", "json_schema": schema}}

    def _tokens(self, request: GenerationRequest, samples: int) -> int:
        """A guess of what the request takes."""
        characters = sum(len(part.get("text", "")) for message in request.messages for part in _parts(message))
        prompt = characters // CHARACTERS_PER_TOKEN + len(request.images) * TOKENS_PER_IMAGE
        return prompt + samples * self._sampling.max_new_tokens

    def _count(self, reply: CachedReply | None, hit: bool) -> None:
        if reply is None:
            return
        tokens = (reply.input_tokens * self._settings.input_price, reply.output_tokens * self._settings.output_price)
        price = sum(tokens) / 1_000_000
        self.usage.replies += 1
        self.usage.hits += hit
        self.usage.saved += price if hit else 0.0
        self.usage.spent += 0.0 if hit else price


def sampled_by(sampling: SamplingSettings) -> dict[str, Any]:
    """The fields of a chat request that say how an answer is drawn."""
    return {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_new_tokens}


def wire_messages(messages: Sequence[Message], images: Sequence[bytes]) -> list[Message]:
    """Messages as chat servers read them: the n-th image part carries the n-th image as a data: URL.

    Raises:
        BadImage: an image is of no known kind.
    """
    contents = iter(images)
    return [
        {**message, "content": [_wire_part(part, contents) for part in _parts(message)]}
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


def _parts(message: Message) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _replies(told: ChatReply) -> list[CachedReply]:
    """The answers one by one. Servers tell tokens of all together: the prompt's go to the first, the rest is shared."""
    share, rest = divmod(told.output_tokens, len(told.choices))
    return [
        CachedReply(choice.text, choice.finish_reason, 0 if place else told.input_tokens, share + (place < rest))
        for place, choice in enumerate(told.choices)
    ]
