"""Which HTTP routes there are and in what order a request is checked; knows no Ray, so that tests run it in memory."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.assessment import Assessment
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.serving.auth import require_token
from dt2it_ray.serving.conversations import conversations_of
from dt2it_ray.serving.protocol import model_list, parse_request, reply
from dt2it_ray.serving.refusal import Refusal, refusal_of
from dt2it_ray.serving.settings import ServeSettings

logger = logging.getLogger("ray.serve")


@dataclass(frozen=True)
class Scored:
    """What a model made of the conversations of a request, in order."""

    fingerprint: str
    told: list[Assessment | Dropped]


class Backend(Protocol):
    """The models behind the routes. `score` raises Refusal when they are too busy or unavailable."""

    @property
    def names(self) -> Sequence[str]: ...

    async def score(self, model: str, conversations: Sequence[Conversation]) -> Scored: ...


def build_api(backend: Backend, settings: ServeSettings, digest: bytes) -> FastAPI:
    """The HTTP application. `digest` is that of the token which every route but `/health` demands."""
    api = FastAPI(title="dt2it_ray", docs_url=None, redoc_url=None, openapi_url=None)
    created = int(time.time())

    @api.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @api.get("/v1/models")
    async def models(request: Request) -> Response:
        require_token(request.headers.get("authorization"), digest)
        return JSONResponse(model_list(backend.names, created))

    @api.post("/v1/reward")
    async def reward(request: Request) -> Response:
        # The token first: a stranger's body is never read.
        require_token(request.headers.get("authorization"), digest)
        try:
            async with asyncio.timeout(settings.request_timeout_s):
                return await _reward(request, backend, settings)
        except TimeoutError:
            detail = f"no scores within {settings.request_timeout_s:g} s: the server is overloaded; try again later"
            raise Refusal(503, "timeout", detail) from None

    _answer_errors(api)
    return api


async def _reward(request: Request, backend: Backend, settings: ServeSettings) -> Response:
    limits = settings.limits
    body = await read_body(request, limits.max_body_bytes)
    # Parsing and decoding images take a while: other requests go on meanwhile.
    asked = await asyncio.to_thread(parse_request, body)
    if asked.model not in backend.names:
        detail = f"there is no model {asked.model!r}; this server has: {', '.join(backend.names)}"
        raise Refusal(404, "model_not_found", detail, "model")
    conversations = await asyncio.to_thread(conversations_of, asked, limits)
    scored = await backend.score(asked.model, conversations)
    told = [_checked(each, asked.place_of(index)) for index, each in enumerate(scored.told)]
    content = reply(asked.model, scored.fingerprint, told, settings.score.calibrated).model_dump_json()
    return Response(content, media_type="application/json")


def _checked(told: Assessment | Dropped, param: str) -> Assessment:
    if isinstance(told, Dropped):
        raise refusal_of(told, param)
    if not math.isfinite(told.reward):
        raise Refusal(500, "reward_not_finite", f"{param}: the model's score is {told.reward}", param)
    return told


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        Refusal: status 413 as soon as it is known to be longer than `limit` bytes; the rest is not read.
    """
    refusal = Refusal(413, "body_too_large", f"the body has more than {limit} bytes; send fewer or smaller images")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise refusal
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise refusal
    return bytes(body)


def _answer_errors(api: FastAPI) -> None:
    """Every failure leaves in the error shape of the OpenAI API; what broke inside is logged, not told."""

    @api.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return JSONResponse(refusal.body(), refusal.status, refusal.headers())

    @api.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        refusal = Refusal(error.status_code, "no_such_route", f"{request.method} {request.url.path}: {error.detail}")
        return JSONResponse(refusal.body(), refusal.status, error.headers)

    @api.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        refusal = Refusal(500, "internal_error", "the server failed on this request; its log says why")
        return JSONResponse(refusal.body(), refusal.status)
