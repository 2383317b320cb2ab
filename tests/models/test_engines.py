"""Which engine answers follows from the settings alone, and settings that would do nothing are refused."""

import pytest
from pydantic import ValidationError

from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.models.backbones import Backbone, find_backbone
from dt2it_ray.models.engines import EngineSettings, open_generator, with_checkpoint
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.tiny import tiny_path
from dt2it_ray.models.vllm.settings import VllmSettings

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


def test_without_vllm_its_engine_says_what_to_install() -> None:
    try:
        import vllm.sampling_params  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(StageFailed, match=r"pip install 'dt2it_ray\[gpu\]'"):
            open_generator(EngineSettings(kind="vllm", backbone=find_backbone("tiny")), SamplingSettings(), "cpu", 1)
    else:
        pytest.skip("vLLM is installed here")
