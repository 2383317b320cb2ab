"""Every family of backbones gives the rewards that transformers' own forward passes give, packed or not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from dt2it_ray.data.chat import answered
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.models.weights import load_language_model
from tests.models.random_families import FAMILIES, write_family
from tests.models.random_model import ANSWERS, picture

APART = ModelSettings(shared_prompt=False)


def chat(answer: str, *images: bytes, question: str = "How many red circles are there?") -> Conversation:
    return Conversation(tuple(answered(question, len(images), answer)), images)


def groups(encoder: Encoder) -> list[list[Encoded]]:
    """Answers to questions about two images, about one and about none; the last alone for a text model."""
    shown = [(picture(1), picture(2)), (picture(3),), ()] if encoder.image_processor else [()]
    chats = [[chat(answer, *images) for answer in ANSWERS.values()] for images in shown]
    chats.append([chat(answer, question="图中有几个圆?") for answer in ("3", "There are four circles.")])
    encoded = [[encoder.encode(entry) for entry in group] for group in chats]
    assert not any(isinstance(entry, Dropped) for group in encoded for entry in group)
    return encoded  # pyright: ignore[reportReturnType]


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_family(tmp_path_factory.mktemp(request.param), request.param)


def rewards_of(model: RewardModel, batch_groups: list[list[Encoded]], encoder: Encoder) -> torch.Tensor:
    with torch.no_grad():
        return model(prefix_batch(batch_groups, encoder))


def expected_reward(backbone: Any, head: torch.Tensor, encoded: Encoded) -> float:
    """The reward by transformers' own forward pass, which makes its own positions, masks and image features."""
    ids = torch.from_numpy(encoded.ids)[None]
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if encoded.pictures:
        inputs["pixel_values"] = torch.cat([torch.from_numpy(shown.patches) for shown in encoded.pictures])
        inputs["image_grid_thw"] = torch.tensor([shown.grid for shown in encoded.pictures])
        inputs["mm_token_type_ids"] = (ids == backbone.config.image_token_id).int()
    with torch.no_grad():
        return float(backbone(**inputs).last_hidden_state[0, -1] @ head[0])


def test_a_mixed_batch_of_shared_prompts_scores_as_transformers_own_passes(folder: str) -> None:
    model, encoder = new_reward_model(folder, "float32", 1), open_encoder(folder, CollateSettings())
    packed = rewards_of(model, groups(encoder), encoder)
    backbone = AutoModel.from_pretrained(folder).eval()
    head = model.get_parameter("score.weight")
    separate = [expected_reward(backbone, head, entry) for group in groups(encoder) for entry in group]
    assert packed.tolist() == pytest.approx(separate, abs=1e-5)
    assert packed.std() > 0.05


def test_gradients_of_shared_prompts_equal_those_of_separate_passes(folder: str) -> None:
    found = []
    for settings in (ModelSettings(), APART):
        settings = settings.model_copy(update={"freeze_vision": False, "freeze_projector": False})
        model = new_reward_model(folder, "float32", 1, settings)
        encoder = open_encoder(folder, CollateSettings(), readout=settings.readout())
        model(prefix_batch(groups(encoder), encoder)).square().sum().backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    shared, apart = found
    assert shared.keys() == apart.keys()
    assert max(float(gradient.abs().max()) for gradient in apart.values()) > 0.1
    for name, gradient in shared.items():
        torch.testing.assert_close(gradient, apart[name], atol=1e-4, rtol=1e-4)


def test_a_saved_model_of_any_family_scores_alike_whether_prompts_are_shared_or_not(
    folder: str, tmp_path: Path
) -> None:
    images = (picture(1),) if open_encoder(folder, CollateSettings()).image_processor else ()
    chats = [chat(answer, *images) for answer in ANSWERS.values()] + [chat("four")]
    told = []
    for settings in (ModelSettings(), APART):
        model, encoder = new_reward_model(folder, "float32", 1, settings), open_encoder(folder, CollateSettings())
        config = RewardConfig(name="toy", **settings.readout().model_dump())
        save_reward_model(model, encoder, config, str(tmp_path / "model"))
        told.append(TorchScorer(str(tmp_path / "model"), ScoreSettings(decimals=9), threads=1).score(chats))
    assert told[0] == pytest.approx(told[1], abs=1e-8)
    assert len(set(told[0])) == len(chats)


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_transformers_own_classifier_opens_a_saved_text_model_and_scores_alike(family: str, tmp_path: Path) -> None:
    base = write_family(tmp_path / "base", family)
    encoder, folder = open_encoder(base, CollateSettings()), str(tmp_path / "model")
    save_reward_model(new_reward_model(base, "float32", 1), encoder, RewardConfig(name="toy"), folder)
    classifier = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    encoded = [entry for group in groups(encoder) for entry in group]
    with torch.no_grad():
        logits = [float(classifier(torch.from_numpy(entry.ids)[None]).logits[0, 0]) for entry in encoded]
    ours = rewards_of(new_reward_model(folder, "float32", 99), groups(encoder), encoder)
    assert ours.tolist() == pytest.approx(logits, abs=1e-5)


def test_a_text_model_refuses_conversations_with_images(tmp_path: Path) -> None:
    encoder = open_encoder(write_family(tmp_path, "llama"), CollateSettings())
    refused = encoder.encode(chat("three", picture(1)))
    assert isinstance(refused, Dropped)
    assert "the backbone is a text model" in refused.detail


@pytest.mark.parametrize(
    ("family", "told"),
    [("mistral", "type mistral with"), ("qwen3_windows", "type qwen3 with full_attention and sliding_attention")],
)
def test_attention_with_windows_asks_for_passes_of_their_own_and_takes_them(
    family: str, told: str, tmp_path: Path
) -> None:
    folder = write_family(tmp_path, family)
    with pytest.raises(ConfigError, match=rf"{told} .* Set shared_prompt=false"):
        new_reward_model(folder, "float32", 1)
    model, encoder = (
        new_reward_model(folder, "float32", 1, APART),
        open_encoder(folder, CollateSettings(), readout=APART),
    )
    backbone, head = AutoModel.from_pretrained(folder).eval(), model.get_parameter("score.weight")
    separate = [expected_reward(backbone, head, entry) for group in groups(encoder) for entry in group]
    assert rewards_of(model, groups(encoder), encoder).tolist() == pytest.approx(separate, abs=1e-5)


def test_only_backbones_that_generate_here_are_opened_to_generate(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds a llama model; those that generate: qwen3_vl"):
        load_language_model(write_family(tmp_path, "llama"), "float32")
