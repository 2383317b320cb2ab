"""How an engine spares itself what the cache has, and what all of it took."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.response_cache import CachedReply, ResponseCache, reply_key

Ask = Callable[[Sequence[int]], Awaitable[Sequence[CachedReply] | Dropped]]
"""Asks a model for the samples of these numbers; it may give fewer, at least one, which are then the first of them."""
ReplyT = TypeVar("ReplyT")
MILLION = 1_000_000


@dataclass
class Usage:
    """What an engine was asked for since it was opened, and what its cache saved. Tokens are those of new replies."""

    replies: int = 0
    hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    spent: float = 0.0
    saved: float = 0.0


class PaidReplies:
    """Replies of one model. New ones go to the cache as they come, so that a killed job has paid for none in vain."""

    def __init__(self, cache: ResponseCache | None, input_price: float = 0, output_price: float = 0) -> None:
        """Prices are of a million tokens."""
        self.usage = Usage()
        self._cache, self._prices = cache, (input_price, output_price)

    async def complete(
        self, request: GenerationRequest, identity: Mapping[str, Any], ask: Ask
    ) -> list[Completion] | Dropped:
        """All samples of a request, in order, or why there are not all of them. `identity` says who is asked and how.

        Raises:
            StoreError: the cache cannot be used.
        """
        asked = (identity, request.messages, request.images, request.schema)
        keys = [reply_key(*asked, place) if self._cache else "" for place in range(request.samples)]
        replies = [await asyncio.to_thread(self._cache.get, key) if self._cache else None for key in keys]
        for reply in replies:
            self._count(reply, hit=True)
        while missing := [place for place, reply in enumerate(replies) if reply is None]:
            told = await ask(missing)
            if isinstance(told, Dropped):
                return told
            for place, reply in zip(missing, told, strict=False):
                replies[place] = reply
                self._count(reply, hit=False)
            if self._cache:
                new = [(keys[place], reply) for place, reply in zip(missing, told, strict=False)]
                await see_through(asyncio.to_thread(_keep, self._cache, new))
            end_if_cancelled()
        return [Completion(reply.text, reply.finish_reason, reply.output_tokens) for reply in replies if reply]

    def _count(self, reply: CachedReply | None, hit: bool) -> None:
        if reply is None:
            return
        price = (reply.input_tokens * self._prices[0] + reply.output_tokens * self._prices[1]) / MILLION
        self.usage.replies += 1
        if hit:
            self.usage.hits += 1
            self.usage.saved += price
            return
        self.usage.input_tokens += reply.input_tokens
        self.usage.output_tokens += reply.output_tokens
        self.usage.spent += price


def drawn_for(request: GenerationRequest, temperature: float) -> dict[str, str]:
    """What of a request its replies depend on beside its words: draws depend on the key, so another key's reply to the
    same words is another reply. Without chance they share one."""
    return {"key": request.key} if temperature > 0 else {}


def _keep(cache: ResponseCache, replies: Sequence[tuple[str, CachedReply]]) -> None:
    for key, reply in replies:
        cache.put(key, reply)


async def see_through(work: Coroutine[Any, Any, ReplyT]) -> ReplyT:
    """What the work returns, even if its caller is cancelled meanwhile: then `end_if_cancelled` ends the caller."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()


def end_if_cancelled() -> None:
    """End a task that was cancelled while it saw something through."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


async def side_by_side(works: Iterable[Coroutine[Any, Any, ReplyT]]) -> list[ReplyT]:
    """What each returns, in order. The first error of one ends the others, as soon as they have
    seen through what they are at, and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
