"""Which weights a training may change, by setting."""

from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_settings import ModelSettings
from tests.models.random_families import LAYERS, write_family

SEEN = {"freeze_vision": False, "freeze_projector": False}
PARTS = {
    "tower": "backbone.visual.blocks.",
    "projector": "backbone.visual.merger.",
    "words": "backbone.language_model.embed_tokens.",
    "first": "backbone.language_model.layers.0.",
    "second": "backbone.language_model.layers.1.",
    "norm": "backbone.language_model.norm.",
    "head": "score.",
}


@pytest.fixture(scope="module", params=["qwen3_vl", "qwen2_5_vl"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_family(tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.parametrize(
    ("settings", "frozen"),
    [
        ({}, {"tower", "projector"}),
        (SEEN, set()),
        ({"freeze_projector": False}, {"tower"}),
        ({"freeze_vision": False}, {"projector"}),
        ({**SEEN, "freeze_layers": 1}, {"words", "first"}),
        ({"freeze_layers": LAYERS}, {"tower", "projector", "words", "first", "second"}),
    ],
)
def test_frozen_parts_do_not_learn_and_all_others_do(folder: str, settings: dict[str, Any], frozen: set[str]) -> None:
    model = new_reward_model(folder, "float32", 1, ModelSettings(**settings))
    learning = {
        part: {weight.requires_grad for name, weight in model.named_parameters() if name.startswith(prefix)}
        for part, prefix in PARTS.items()
    }
    assert learning == {part: {part not in frozen} for part in PARTS}
    assert model.looks_stay is ({"tower", "projector"} <= frozen)


def test_inner_projectors_of_qwen3_vl_are_projectors(tmp_path: Path) -> None:
    model = new_reward_model(write_family(tmp_path, "qwen3_vl"), "float32", 1, ModelSettings(freeze_projector=False))
    learning = {name for name, weight in model.backbone.visual.named_parameters() if weight.requires_grad}
    assert {name.split(".")[0] for name in learning} == {"merger", "deepstack_merger_list"}


def test_layers_of_a_text_model_are_frozen_too(tmp_path: Path) -> None:
    folder = write_family(tmp_path, "llama")
    model = new_reward_model(folder, "float32", 1, ModelSettings(freeze_layers=1))
    frozen = {name.split(".")[1] for name, weight in model.named_parameters() if not weight.requires_grad}
    assert frozen == {"embed_tokens", "layers"}
    assert not model.looks_stay
    with pytest.raises(ConfigError, match="freeze_layers=3, and the text model has 2 layers"):
        new_reward_model(folder, "float32", 1, ModelSettings(freeze_layers=3))
