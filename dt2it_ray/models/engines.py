"""Which engine samples answers: the checkpoint in this place, or a server."""

from typing import Literal

from pydantic import Field, model_validator

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Generator
from dt2it_ray.settings import Settings


class EngineSettings(Settings):
    """Who answers prompts. All answers of a prompt come from one model, so that style carries no label."""

    kind: Literal["transformers", "endpoint"] = "transformers"
    """`transformers`: the run's backbone, on the worker itself. `endpoint`: an OpenAI-compatible server."""
    endpoint: EndpointSettings | None = None
    """The server, for `endpoint`."""
    cache: str = Field(default="", exclude=True)
    """Folder or URI in which an endpoint's replies are kept for this and other runs. Empty: they are not."""
    backbone: Backbone | None = None
    """The checkpoint, for `transformers`; filled in from the run's `backbone`."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "EngineSettings":
        if (self.kind == "endpoint") != (self.endpoint is not None):
            raise ValueError("kind: endpoint and endpoint: {model: NAME, url: ...} belong together; give both or none")
        return self


def open_generator(engine: EngineSettings, sampling: SamplingSettings, device: str, threads: int) -> Generator:
    """The engine, ready to answer.

    Raises:
        StoreError: the checkpoint or the cache cannot be read.
    """
    if engine.endpoint is not None:
        from dt2it_ray.models.endpoint.generator import EndpointGenerator
        from dt2it_ray.models.response_cache import ResponseCache
        from dt2it_ray.store.files import Folder

        cache = ResponseCache(Folder(engine.cache)) if engine.cache else None
        return EndpointGenerator(engine.endpoint, sampling, cache)
    from dt2it_ray.models.transformers_generator import TransformersGenerator

    assert engine.backbone is not None
    return TransformersGenerator(engine.backbone.path, sampling, device=device, threads=threads)
