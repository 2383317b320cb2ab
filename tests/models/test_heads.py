"""Every head computes its published formula, and a folder gives back the model that was put into it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch.nn import functional

from dt2it_ray.errors import StoreError
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.heads import build_head, draw_weights
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.reward_files import REWARD_CONFIG, RewardConfig, new_reward_model, save_reward_model
from dt2it_ray.models.reward_settings import ModelSettings, ReadoutSettings
from dt2it_ray.models.torch_scorer import TorchScorer
from tests.models.random_model import write_random_model
from tests.models.test_torch_scorer import CHATS

READOUTS: dict[str, dict[str, Any]] = {
    "linear": {},
    "silu": {"head": "silu", "head_width": 24},
    "tanh": {"head": "tanh", "pooling": "mean"},
    "late": {"head": "silu", "fusion": "late"},
    "cross_attention": {"fusion": "cross_attention", "pooling": "mean", "shared_prompt": False},
}
NAMES = {
    "linear": ["score.weight"],
    "silu": ["score.0.bias", "score.0.weight", "score.2.weight"],
    "tanh": ["score.0.bias", "score.0.weight", "score.2.weight"],
    "late": ["score.0.bias", "score.0.weight", "score.2.weight"],
    "cross_attention": ["fusion.key.weight", "fusion.query.weight", "fusion.value.weight", "score.weight"],
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_random_model(tmp_path_factory.mktemp("heads")))


def save(base: str, folder: Path, seed: int = 7, **readout: Any) -> str:
    """The folder of a new model with this readout."""
    settings = ModelSettings(**readout)
    config = RewardConfig(name="toy", **settings.readout().model_dump())
    model = new_reward_model(base, "float32", seed, settings)
    save_reward_model(model, open_encoder(base, CollateSettings()), config, str(folder))
    return str(folder)


def rewards_in_memory(base: str, **readout: Any) -> list[float]:
    """Rewards of the model that `save` saves, by the forward pass of trainings."""
    settings = ModelSettings(**readout)
    encoder = open_encoder(base, CollateSettings(), readout=settings.readout())
    encoded = [[encoder.encode(chat)] for chat in CHATS]
    with torch.no_grad():
        return new_reward_model(base, "float32", 7, settings)(prefix_batch(encoded, encoder)).tolist()  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("kind", "activation"), [("silu", functional.silu), ("tanh", torch.tanh)])
def test_a_two_layer_head_computes_its_formula(kind: Any, activation: Any) -> None:
    head = build_head(ReadoutSettings(head=kind, head_width=5), 8, torch.float64)
    draw_weights(head, seed=3)
    weights = {name: weight.detach() for name, weight in head.named_parameters()}
    weights["0.bias"] += 0.5
    inputs = torch.randn(4, 8, dtype=torch.float64)
    expected = activation(inputs @ weights["0.weight"].T + 0.5) @ weights["2.weight"].T
    torch.testing.assert_close(head(inputs), expected)


def test_a_published_tanh_head_is_as_wide_as_its_input() -> None:
    shapes = [tuple(weight.shape) for weight in build_head(ReadoutSettings(head="tanh"), 8, torch.float32).parameters()]
    assert shapes == [(8, 8), (8,), (1, 8)]


def test_a_new_linear_head_is_drawn_as_it_always_was() -> None:
    head = build_head(ReadoutSettings(), 8, torch.float32)
    draw_weights(head, seed=7)
    expected = torch.randn(1, 8, generator=torch.Generator().manual_seed(7)) / 3
    assert torch.equal(head.get_parameter("weight"), expected)


@pytest.mark.parametrize("kind", ["linear", "silu", "tanh"])
def test_rewards_of_new_heads_vary_by_about_one(kind: Any) -> None:
    head = build_head(ReadoutSettings(head=kind), 256, torch.float32)
    draw_weights(head, seed=1)
    spread = head(torch.randn(2000, 256, generator=torch.Generator().manual_seed(0))).std().item()
    assert 0.4 < spread < 1.3


@pytest.mark.parametrize("name", READOUTS)
def test_a_saved_readout_scores_and_is_saved_again_alike(name: str, base: str, tmp_path: Path) -> None:
    folder = save(base, tmp_path / "model", **READOUTS[name])
    scorer = TorchScorer(folder, threads=1)
    scores = scorer.score(CHATS)
    assert len(set(scores)) == len(CHATS)
    assert scores == pytest.approx(rewards_in_memory(base, **READOUTS[name]), abs=1e-4)
    assert scores == [scorer.score([chat])[0] for chat in CHATS]
    again = save(folder, tmp_path / "again", seed=99, **READOUTS[name])
    assert TorchScorer(again, threads=1).score(CHATS) == scores
    written = load_file(Path(folder, "model.safetensors"))
    assert sorted(key for key in written if not key.startswith("model.")) == NAMES[name]


def test_other_seeds_draw_other_heads_and_other_heads_have_other_fingerprints(base: str, tmp_path: Path) -> None:
    readouts = [{"seed": 1}, {"seed": 2}, {"head": "silu"}, {"head": "tanh"}, {"pooling": "mean"}]
    folders = [save(base, tmp_path / str(number), **readout) for number, readout in enumerate(readouts)]
    scorers = [TorchScorer(folder, threads=1) for folder in folders]
    assert len({scorer.fingerprint for scorer in scorers}) == len(readouts)
    assert len({str(scorer.score(CHATS[:2])) for scorer in scorers}) == len(readouts)


def test_a_folder_of_before_these_settings_loads_as_a_linear_head(base: str, tmp_path: Path) -> None:
    folder = save(base, tmp_path / "model")
    scores = TorchScorer(folder, threads=1).score(CHATS)
    path = Path(folder, REWARD_CONFIG)
    tree = json.loads(path.read_text())
    kept = {name: tree[name] for name in ("name", "head", "system_prompts", "collate", "dtype", "fingerprint")}
    path.write_text(json.dumps(kept))
    assert TorchScorer(folder, threads=1).score(CHATS) == scores


def test_only_a_linear_head_on_the_last_token_is_called_sequence_classification(base: str, tmp_path: Path) -> None:
    kinds = []
    for name, readout in READOUTS.items():
        folder = save(base, tmp_path / name, **readout)
        kinds += json.loads(Path(folder, "config.json").read_text())["architectures"]
    assert kinds == ["Qwen3VLForSequenceClassification", *["Qwen3VLRewardModel"] * 4]


def test_a_stored_head_of_another_width_or_kind_is_named(base: str, tmp_path: Path) -> None:
    folder = save(base, tmp_path / "model", head="silu", head_width=24)
    with pytest.raises(StoreError, match=r"score.0.weight is \(24, 32\), not \(16, 32\)"):
        new_reward_model(folder, "float32", 1, ModelSettings(head="silu", head_width=16))
    path = Path(folder, REWARD_CONFIG)
    path.write_text(path.read_text().replace('"silu"', '"linear"').replace('"head_width": 24', '"head_width": null'))
    with pytest.raises(StoreError, match=r"have no score.weight or v_head.summary.weight"):
        TorchScorer(folder)


@pytest.mark.parametrize("changes", [{"head": "tanh"}, {"head": "linear"}, {"head": "silu", "fusion": "late"}])
def test_a_head_of_another_kind_is_drawn_anew(base: str, tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = ModelSettings(**changes)
    trained = new_reward_model(save(base, tmp_path / "model", head="silu"), "float32", 5, settings)
    fresh = new_reward_model(base, "float32", 5, settings)
    for name, weight in fresh.readers.named_parameters():
        assert torch.equal(trained.readers.get_parameter(name), weight)


def test_settings_that_teach_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="fusion=late needs head=silu or head=tanh"):
        ModelSettings(fusion="late")
    with pytest.raises(ValidationError, match="head=linear has no inner layer"):
        ModelSettings(head_width=3)
