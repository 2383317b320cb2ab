"""Which engine samples answers: a checkpoint in this place, with transformers or vLLM, or a server."""

from typing import Literal

from pydantic import Field, model_validator

from dt2it_ray.models.backbones import Backbone, find_backbone
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Generator
from dt2it_ray.models.response_cache import ResponseCache
from dt2it_ray.models.vllm.settings import VllmSettings
from dt2it_ray.settings import Settings
from dt2it_ray.store.files import Folder


class EngineSettings(Settings):
    """Who answers prompts. All answers of a prompt come from one model, so that style carries no label."""

    kind: Literal["transformers", "vllm", "endpoint"] = "transformers"
    """`transformers` and `vllm`: a checkpoint, on the worker itself. `endpoint`: an OpenAI-compatible server."""
    model: str = Field(default="", exclude=True)
    """Folder of the checkpoint, for `transformers` and `vllm`. Empty: the run's `backbone`."""
    vllm: VllmSettings = VllmSettings()
    """How vLLM runs it, for `vllm`."""
    endpoint: EndpointSettings | None = None
    """The server, for `endpoint`."""
    cache: str | None = Field(default="", exclude=True)
    """Folder or URI in which replies of `vllm` and `endpoint` are kept, for other runs too. Empty: `replies` in the
    run's folder. None: they are not kept, and a row that has to be done again is paid for again."""
    backbone: Backbone | None = None
    """The checkpoint, for `transformers` and `vllm`; filled in from `model` or the run's `backbone`."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "EngineSettings":
        if (self.kind == "endpoint") != (self.endpoint is not None):
            raise ValueError("kind: endpoint and endpoint: {model: NAME, url: ...} belong together; give both or none")
        if self.kind != "vllm" and self.vllm != VllmSettings():
            raise ValueError(f"settings of vllm do nothing for kind: {self.kind}; give kind: vllm or leave them out")
        if self.kind == "endpoint" and self.model:
            raise ValueError("model names a checkpoint's folder; that of a server goes into endpoint.model")
        return self


def with_checkpoint(engine: EngineSettings, backbone: Backbone | None) -> EngineSettings:
    """The engine with its own checkpoint, or with the one given where it names none. A server needs neither.

    Raises:
        ConfigError: `model` is no checkpoint.
    """
    if engine.kind == "endpoint":
        return engine
    return engine.model_copy(update={"backbone": find_backbone(engine.model) if engine.model else backbone})


def idle_sampling(sampling: SamplingSettings, *engines: EngineSettings) -> str:
    """Why a setting of the sampling does nothing with any of these engines; empty if all do something.

    What does nothing would enter the fingerprint all the same, and have a step made again for it."""
    kinds, default = {engine.kind for engine in engines}, SamplingSettings()
    asked = f"kind: {' or '.join(sorted(kinds))}" if kinds else "want of an engine"
    if sampling.dtype != default.dtype and "transformers" not in kinds:
        return f"sampling.dtype does nothing for {asked} (vLLM has vllm.dtype); leave it out"
    if sampling.collate != default.collate and kinds <= {"endpoint"}:
        return f"sampling.collate does nothing for {asked} (a server has limits of its own); leave it out"
    return ""


def open_generator(
    engine: EngineSettings, sampling: SamplingSettings, device: str, threads: int, replies: str = ""
) -> Generator:
    """The engine, ready to answer. `replies` is where it keeps them unless it has a cache of its own; empty: nowhere.

    Raises:
        StoreError: the checkpoint or the cache cannot be read. StageFailed: vLLM is not installed or cannot start.
    """
    place = None if engine.cache is None else engine.cache or replies
    cache = ResponseCache(Folder(place)) if place else None
    if engine.endpoint is not None:
        from dt2it_ray.models.endpoint.generator import EndpointGenerator

        return EndpointGenerator(engine.endpoint, sampling, cache)
    assert engine.backbone is not None
    if engine.kind == "vllm":
        from dt2it_ray.models.vllm.generator import VllmGenerator

        return VllmGenerator(engine.backbone, engine.vllm, sampling, cache)
    from dt2it_ray.models.transformers_generator import TransformersGenerator

    return TransformersGenerator(engine.backbone.path, sampling, device=device, threads=threads)
