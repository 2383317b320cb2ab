"""Which engine answers follows from the settings alone, and settings that would do nothing are refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from dt2it_ray.data.chat import user_turn
from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.models.backbones import Backbone, find_backbone
from dt2it_ray.models.engines import EngineSettings, idle_sampling, open_generator, with_checkpoint
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.tiny import tiny_path
from dt2it_ray.models.vllm.settings import VllmSettings
from tests.models.endpoint.server import chat_server

RUN = Backbone(path="/nowhere", digest="d")
SERVER = {"kind": "endpoint", "endpoint": {"model": "m"}}


@pytest.mark.parametrize(
    ("settings", "trouble"),
    [
        ({"kind": "endpoint"}, "belong together"),
        ({"endpoint": {"model": "m"}}, "belong together"),
        ({"vllm": {"dtype": "bfloat16"}}, "do nothing for kind: transformers"),
        ({**SERVER, "model": "/models/m"}, "goes into endpoint.model"),
    ],
)
def test_settings_that_do_not_fit_the_kind_are_refused(settings: dict, trouble: str) -> None:
    with pytest.raises(ValidationError, match=trouble):
        EngineSettings.model_validate(settings)


@pytest.mark.parametrize("kind", ["transformers", "vllm"])
def test_an_engine_takes_its_own_checkpoint_or_else_that_of_the_run(kind: str) -> None:
    own = EngineSettings.model_validate({"kind": kind, "model": str(tiny_path())})
    assert with_checkpoint(own, RUN).backbone == find_backbone("tiny")
    assert with_checkpoint(EngineSettings.model_validate({"kind": kind}), RUN).backbone == RUN
    with pytest.raises(ConfigError, match="holds no"):
        with_checkpoint(own.model_copy(update={"model": "/nowhere"}), RUN)


def test_a_server_takes_no_checkpoint() -> None:
    server = EngineSettings.model_validate(SERVER)
    assert with_checkpoint(server, RUN) == server


def test_where_and_how_fast_an_engine_runs_is_no_part_of_what_it_is() -> None:
    placed = VllmSettings(tensor_parallel_size=8, gpu_memory_utilization=0.5, max_num_seqs=64, enforce_eager=True)
    assert placed.model_dump() == VllmSettings().model_dump()
    for changed in ({"dtype": "float32"}, {"max_model_len": 99}, {"images_per_prompt": 1}, {"load_format": "dummy"}):
        assert VllmSettings.model_validate(changed).model_dump() != VllmSettings().model_dump()


FAST = {"dtype": "float32"}
SHORT = {"collate": {"max_length": 99}}


@pytest.mark.parametrize(
    ("kinds", "sampling", "trouble"),
    [
        (["transformers"], FAST | SHORT, ""),
        (["vllm"], SHORT, ""),
        (["vllm"], FAST, "sampling.dtype does nothing for kind: vllm"),
        (["endpoint"], FAST, "sampling.dtype does nothing for kind: endpoint"),
        (["endpoint"], SHORT, "sampling.collate does nothing for kind: endpoint"),
        (["endpoint", "transformers"], FAST | SHORT, ""),
        (["endpoint", "vllm"], FAST, "sampling.dtype does nothing for kind: endpoint or vllm"),
        ([], SHORT, "sampling.collate does nothing for want of an engine"),
        (["endpoint"], {"temperature": 0.5, "top_p": 0.9, "max_new_tokens": 9, "seed": 1}, ""),
    ],
)
def test_settings_of_sampling_that_no_engine_heeds_are_told(kinds: list[str], sampling: dict, trouble: str) -> None:
    engines = [EngineSettings.model_validate(SERVER if kind == "endpoint" else {"kind": kind}) for kind in kinds]
    told = idle_sampling(SamplingSettings.model_validate(sampling), *engines)
    assert told.startswith(trouble)
    assert bool(told) == bool(trouble)


@pytest.mark.parametrize(("cache", "kept"), [("", "run"), ("own", "own"), (None, None)])
def test_replies_are_kept_in_the_run_unless_said_otherwise(tmp_path: Path, cache: str | None, kept: str | None) -> None:
    place = str(tmp_path / cache) if cache else cache
    with chat_server() as server:
        told = {**SERVER, "endpoint": {"model": "m", "url": server.url}, "cache": place}
        engine = EngineSettings.model_validate(told)
        opened = open_generator(engine, SamplingSettings(), "cpu", 1, str(tmp_path / "run"))
        opened.generate([GenerationRequest("k", (user_turn("Q?", 0),), (), 2)])
        opened.close()  # type: ignore[attr-defined]
    assert sorted(path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.json")) == (
        [kept] * 2 if kept else []
    )


def test_without_vllm_its_engine_says_what_to_install() -> None:
    try:
        import vllm.sampling_params  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(StageFailed, match=r"pip install 'dt2it_ray\[gpu\]'"):
            open_generator(EngineSettings(kind="vllm", backbone=find_backbone("tiny")), SamplingSettings(), "cpu", 1)
    else:
        pytest.skip("vLLM is installed here")
