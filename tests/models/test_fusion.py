"""Where image and text meet outside the text model: what reaches the head, with several images, one and none."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dt2it_ray.data.chat import answered
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.fusion import CrossAttention, LateFusion, image_tokens
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.vision_looks import look_once
from tests.models.random_families import write_family
from tests.models.random_model import ANSWERS, picture

WIDTH = 32
FUSIONS: list[dict[str, Any]] = [
    {"fusion": "early", "pooling": "mean"},
    {"fusion": "late", "head": "silu"},
    {"fusion": "late", "head": "tanh", "pooling": "mean"},
    {"fusion": "cross_attention"},
    {"fusion": "cross_attention", "head": "silu", "pooling": "mean"},
]
ROWS = [(picture(1), picture(2)), (picture(3),), ()]


@pytest.fixture(scope="module", params=["qwen3_vl", "qwen2_5_vl"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_family(tmp_path_factory.mktemp(request.param), request.param)


def groups(encoder: Encoder, rows: list[Any]) -> list[list[Encoded]]:
    chats = [
        [Conversation(tuple(answered("How many?", len(images), text)), images) for text in ANSWERS.values()]
        for images in rows
    ]
    return [[encoder.encode(chat) for chat in group] for group in chats]  # pyright: ignore[reportReturnType]


def pooled(folder: str, rows: list[Any], **settings: Any) -> torch.Tensor:
    """What the head reads of the answers of each row's prompt, in one batch."""
    model = new_reward_model(folder, "float32", 1, ModelSettings(**settings))
    encoder = open_encoder(folder, CollateSettings(), readout=model.settings.readout())
    with torch.no_grad():
        return model.pooled(prefix_batch(groups(encoder, rows), encoder))


@pytest.mark.parametrize("settings", FUSIONS)
def test_one_mixed_batch_of_shared_prompts_reads_what_passes_of_their_own_read(
    folder: str, settings: dict[str, Any]
) -> None:
    together = pooled(folder, ROWS, **settings)
    apart = pooled(folder, ROWS, **settings, shared_prompt=False)
    alone = torch.cat([pooled(folder, [row], **settings) for row in ROWS])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert together.std() > 0.1


@pytest.mark.parametrize("settings", FUSIONS[1:])
def test_only_the_second_half_depends_on_images_and_is_zero_without(folder: str, settings: dict[str, Any]) -> None:
    first, second, none = (pooled(folder, [row], **settings) for row in ((picture(1),), (picture(2),), ()))
    torch.testing.assert_close(first[:, :WIDTH], second[:, :WIDTH])
    assert (first[:, WIDTH:] - second[:, WIDTH:]).abs().max() > 0.05
    assert none[:, :WIDTH].abs().max() > 0.1
    assert not none[:, WIDTH:].any()


def test_late_fusion_joins_the_mean_over_image_tokens_at_unit_scale() -> None:
    features = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    tokens, there = image_tokens(features, torch.tensor([[1, 1, 0], [0, 0, 0], [0, 0, 1]]).bool(), torch.zeros(1, 2))
    text = torch.tensor([[5.0, 6.0], [7.0, 8.0], [1.0, 2.0]])
    joined = LateFusion()(text, torch.tensor([0, 1, 2]), tokens, there)
    scale = (1.5**2 + 0.5**2) ** 0.5 / 2**0.5
    expected = [[5, 6, 1.5 / scale, 0.5 / scale], [7, 8, 0, 0], [1, 2, 0, 2**0.5]]
    torch.testing.assert_close(joined, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_cross_attention_is_softmax_over_image_tokens_and_one_of_zeros() -> None:
    torch.manual_seed(0)
    layer, text = CrossAttention(4, 2, torch.float64), torch.randn(1, 4).double()
    features = torch.nn.functional.rms_norm(torch.randn(3, 4).double(), (4,))
    seen = torch.cat([features, torch.zeros(1, 4).double()])
    expected = []
    for part in (slice(0, 2), slice(2, 4)):
        query, keys, values = layer.query(text)[0, part], layer.key(seen)[:, part], layer.value(seen)[:, part]
        expected.append(torch.softmax(keys @ query / 2**0.5, dim=0) @ values)
    tokens, there = image_tokens(features, torch.tensor([[False, True, True, True]]), text)
    joined = layer(text, torch.tensor([0]), tokens, there)
    torch.testing.assert_close(joined[0], torch.cat([text[0], *expected]))


def test_every_layer_has_a_gradient_in_a_batch_without_images(folder: str) -> None:
    model = new_reward_model(folder, "float32", 1, ModelSettings(fusion="cross_attention"))
    encoder = open_encoder(folder, CollateSettings())
    model(prefix_batch(groups(encoder, [()]), encoder)).sum().backward()
    gradients = {name: weight.grad for name, weight in model.readers.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    assert len(gradients) == 4


@pytest.mark.parametrize("settings", FUSIONS)
def test_images_looked_at_once_are_read_alike(folder: str, settings: dict[str, Any]) -> None:
    model = new_reward_model(folder, "float32", 1, ModelSettings(**settings))
    encoder = open_encoder(folder, CollateSettings(), readout=model.settings.readout())
    look_once(model, encoder, [picture(number) for number in (1, 2, 3)], 3)
    assert len(model.looks) == 3
    with torch.no_grad():
        remembered = model.pooled(prefix_batch(groups(encoder, ROWS), encoder))
    torch.testing.assert_close(remembered, pooled(folder, ROWS, **settings), atol=1e-5, rtol=1e-5)


def test_a_text_model_has_nothing_to_fuse(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this backbone sees none: set fusion=early"):
        new_reward_model(write_family(tmp_path, "qwen3"), "float32", 1, ModelSettings(fusion="cross_attention"))


@pytest.mark.parametrize("settings", FUSIONS)
def test_bfloat16_reads_about_what_float32_reads(folder: str, settings: dict[str, Any]) -> None:
    model = new_reward_model(folder, "bfloat16", 1, ModelSettings(**settings))
    encoder = open_encoder(folder, CollateSettings(), readout=model.settings.readout())
    batch = prefix_batch(groups(encoder, ROWS), encoder)
    rewards = model(batch)
    rewards.float().sum().backward()
    assert rewards.dtype == torch.bfloat16
    with torch.no_grad():
        exact = new_reward_model(folder, "float32", 1, ModelSettings(**settings))(batch)
    assert (rewards.float() - exact).abs().max() < 0.25 * exact.std() + 0.05
