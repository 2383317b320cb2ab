"""What tests ask of a generator over a chat server."""

import contextlib
from collections.abc import Iterator

from dt2it_ray.data.chat import user_turn
from dt2it_ray.models.endpoint.generator import EndpointGenerator
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.response_cache import ResponseCache
from tests.models.endpoint.server import ChatServer


@contextlib.contextmanager
def generator(
    server: ChatServer, cache: ResponseCache | None = None, sampling: SamplingSettings | None = None, **settings: object
) -> Iterator[EndpointGenerator]:
    told = {"model": "m", "url": server.url, "timeout_s": 20.0, **settings}
    made = EndpointGenerator(EndpointSettings.model_validate(told), sampling or SamplingSettings(), cache)
    yield made
    made.close()


def request(key: str, samples: int = 2, images: tuple[bytes, ...] = ()) -> GenerationRequest:
    return GenerationRequest(key, (user_turn(f"Q {key}?", len(images)),), images, samples)


def texts(completions: object) -> list[str]:
    assert isinstance(completions, list)
    return [completion.text for completion in completions]
