"""How a chat server is asked: within its limits, again when it fails, and never for ever."""

import asyncio
import os
import random
from collections.abc import Mapping
from typing import Any

import httpx
from aiolimiter import AsyncLimiter

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.models.endpoint.reply import ChatReply, Trouble, read_reply
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.paid_replies import end_if_cancelled, see_through

FIRST_WAIT_S = 0.5
MINUTE_S = 60
ENOUGH_TO_TELL = 8
"""Requests in a row that fail, without a reply between them, before no row is to blame but the server."""
WAVES = 2
"""As many more times `max_concurrent` have to fail if the last one found a server: a short trouble fails all that is
under way at once."""


class EndpointClient:
    """Asks one model of one server, for all coroutines of one event loop at once. Close it with `aclose`."""

    def __init__(self, settings: EndpointSettings) -> None:
        """
        Raises:
            ConfigError: the key in the environment cannot be sent.
        """
        self._settings = settings
        self._failed_in_a_row = 0
        self._key = key = read_key(settings.key_variable)
        self._http = httpx.AsyncClient(
            base_url=settings.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx.Limits(max_connections=settings.max_concurrent),
            # A limit on all of a request stands in `_ask`; httpx has them for single reads only.
            timeout=None,
        )
        self._places = asyncio.Semaphore(settings.max_concurrent)
        requests, tokens = settings.requests_per_minute, settings.tokens_per_minute
        self._requests = AsyncLimiter(requests, MINUTE_S) if requests else None
        self._tokens = AsyncLimiter(tokens, MINUTE_S) if tokens else None

    async def complete(self, body: Mapping[str, Any], tokens: int) -> ChatReply | Dropped:
        """The reply to a request of /chat/completions that takes about so many tokens, or why there is none.

        Raises:
            StageFailed: the server will not answer any request, see `read_reply`, or is down.
        """
        trouble = Trouble("not asked")
        for attempt in range(self._settings.attempts):
            if attempt:
                await asyncio.sleep(self._wait_s(attempt, trouble.wait_s))
            async with self._places:
                await self._stay_within_limits(tokens)
                # The server takes its pay for an answer that nobody waits for, too.
                outcome = await see_through(self._ask(body))
            if not isinstance(outcome, Trouble):
                self._failed_in_a_row = 0
                return outcome
            end_if_cancelled()
            trouble = outcome
        tries = f"{self._settings.attempts} tries, the last one: {trouble.what}"
        self._failed_in_a_row += 1
        waves = 0 if trouble.unsent else WAVES
        if self._failed_in_a_row >= ENOUGH_TO_TELL + waves * self._settings.max_concurrent:
            raise StageFailed(
                f"{self._failed_in_a_row} requests in a row to {self._settings.url} failed; of the last one: {tries}; "
                "see that the server answers and run again: what was answered is kept"
            )
        return Dropped(DropReason.ENDPOINT_FAILED, tries, trouble.evidence)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask(self, body: Mapping[str, Any]) -> ChatReply | Dropped | Trouble:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._http.post("chat/completions", json={"model": self._settings.model, **body})
        except TimeoutError:
            return Trouble(f"no whole answer within {self._settings.timeout_s:g} s")
        except httpx.RequestError as error:
            what = self._without_key(f"{type(error).__name__}: {error}".encode()).decode()
            return Trouble(what, unsent=isinstance(error, httpx.ConnectError))
        return read_reply(response.status_code, response.headers, self._without_key(response.content))

    def _without_key(self, told: bytes) -> bytes:
        # Servers and libraries quote keys that they refuse; nothing that is kept or shown may.
        return told.replace(self._key.encode(), b"(key)") if self._key else told

    async def _stay_within_limits(self, tokens: int) -> None:
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            # A single request above the limit of a minute could never pass.
            await self._tokens.acquire(min(tokens, self._tokens.max_rate))

    def _wait_s(self, attempt: int, asked_for: float | None) -> float:
        """Twice as long each time, spread so that requests that failed together do not come back together."""
        growing = FIRST_WAIT_S * 2**attempt * random.uniform(0.5, 1)
        return min(max(growing, asked_for or 0), self._settings.longest_wait_s)


def read_key(variable: str) -> str:
    """The API key in an environment variable, without the space around it; empty if there is none.

    Raises:
        ConfigError: no HTTP header can hold it.
    """
    key = os.environ.get(variable, "").strip()
    if key.isascii() and key.isprintable():
        return key
    raise ConfigError(
        f"the API key in the environment variable {variable} holds a line break or another character that no HTTP "
        "header can hold; set it again, to the key alone"
    )
