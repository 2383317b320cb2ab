"""Adapters change nothing before they learn, learn alone beside the head, and are part of the weights when saved."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.export_weights import TARGETS, config_of, export_weights
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.reward_files import (
    REWARD_CONFIG,
    RewardConfig,
    new_reward_model,
    open_reward_model,
    save_reward_model,
)
from dt2it_ray.models.reward_settings import LoraSettings, ModelSettings
from dt2it_ray.models.train_loop import train
from tests.models.random_families import write_family
from tests.models.random_model import write_toy_pairs
from tests.models.test_backbone_families import groups
from tests.models.test_train_loop import Interrupted, LocalSession
from tests.models.test_train_readouts import WEIGHTS, margins, with_model

pytest.importorskip("peft")
pytestmark = pytest.mark.usefixtures("process_group")
LORA = LoraSettings(rank=4, alpha=8)


@pytest.fixture(scope="module", params=["qwen3_vl", "qwen2_5_vl", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_family(tmp_path_factory.mktemp(request.param), request.param)


def rewards(model: Any, folder: str) -> torch.Tensor:
    encoder = open_encoder(folder, CollateSettings())
    with torch.no_grad():
        return model(prefix_batch(groups(encoder), encoder))


def test_new_adapters_change_no_reward_and_learn_alone_beside_the_head(folder: str) -> None:
    model = new_reward_model(folder, "float32", 1, ModelSettings(lora=LORA))
    assert torch.equal(rewards(model, folder), rewards(new_reward_model(folder, "float32", 1), folder))
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert len(learning) == 2 * 7 * 2 + 1
    assert all(".lora_" in name or name == "score.weight" for name in learning)


def test_adapters_of_one_seed_are_alike_and_leave_frozen_layers_alone(folder: str) -> None:
    settings = ModelSettings(lora=LORA, freeze_layers=1)
    first, again, other = (
        dict(new_reward_model(folder, "float32", seed, settings).named_parameters()) for seed in (1, 1, 2)
    )
    drawn = [name for name in first if ".lora_A" in name]
    assert len(drawn) == 7
    assert all(".layers.1." in name for name in drawn)
    assert all(torch.equal(first[name], again[name]) for name in drawn)
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


def adapted(folder: str) -> Any:
    """A reward model whose adapters have learned something."""
    model = new_reward_model(folder, "float32", 1, ModelSettings(lora=LORA))
    for name, weight in model.named_parameters():
        if ".lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model


def test_saved_weights_hold_what_adapters_learned_and_score_alike(folder: str, tmp_path: Path) -> None:
    model = adapted(folder)
    told = rewards(model, folder)
    encoder = open_encoder(folder, CollateSettings())
    save_reward_model(model, encoder, RewardConfig(name="toy"), str(tmp_path / "model"))
    saved = new_reward_model(str(tmp_path / "model"), "float32", 99)
    torch.testing.assert_close(rewards(saved, folder), told, atol=1e-5, rtol=1e-5)
    assert (told - rewards(new_reward_model(folder, "float32", 1), folder)).abs().max() > 0.01
    assert not [name for name in load_file(tmp_path / "model" / "model.safetensors") if "lora" in name]


def test_what_adapters_learned_leaves_for_other_tools(folder: str, tmp_path: Path) -> None:
    model = adapted(folder)
    save_reward_model(model, open_encoder(folder, CollateSettings()), RewardConfig(name="toy"), str(tmp_path / "model"))
    for to in TARGETS:
        output = str(tmp_path / to)
        export_weights(str(tmp_path / "model"), output, to, lambda config: config.name)
        if to != "reward_model":
            Path(output, REWARD_CONFIG).unlink()
        left, _, _ = open_reward_model(output, "float32", config=config_of(output))
        torch.testing.assert_close(rewards(left, folder), rewards(model, folder), atol=1e-5, rtol=1e-5)


def test_a_training_of_adapters_resumes_with_the_same_bytes_and_keeps_all_that_has_none(tmp_path: Path) -> None:
    job = with_model(write_toy_pairs(tmp_path, num_prompts=8), tmp_path / "out", lora=LORA)
    train(job, LocalSession(tmp_path / "state"))
    assert min(margins(tmp_path / "out")) > 0
    before, after = load_file(Path(job.base, "model.safetensors")), load_file(tmp_path / "out" / WEIGHTS)
    changed = {name for name in after if name in before and not torch.equal(after[name], before[name])}
    assert {name.split(".")[-2] for name in changed} == set(LORA.targets)
    broken = with_model(job, tmp_path / "again", lora=LORA)
    broken = type(job)(**{**vars(broken), "checkpoint_every_steps": 1})
    with pytest.raises(Interrupted):
        train(broken, LocalSession(tmp_path / "half", checkpoints_to_live=2))
    train(broken, LocalSession(tmp_path / "half"))
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (tmp_path / "out" / WEIGHTS).read_bytes()


def test_names_that_no_layer_has_are_an_error(folder: str) -> None:
    lora = LoraSettings(targets=("q_prj", "v_proj"))
    with pytest.raises(ConfigError, match="the 2 layers of the text model that are not frozen have no q_prj"):
        new_reward_model(folder, "float32", 1, ModelSettings(lora=lora))
