"""The proxy reads text alone, the model beside it reads what it always reads, and gradients go where they should."""

from pathlib import Path

import pytest
import torch

from dt2it_ray.data.chat import answered
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.loss_settings import ShortcutSettings
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.prefix import PrefixBatch, prefix_batch
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.shortcut import FIRST_FOCUS, LEAST_FOCUS, ShortcutAware
from tests.models.random_families import write_family
from tests.models.random_model import picture, write_random_model

ON = ShortcutSettings(enabled=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_random_model(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def encoder(folder: str) -> Encoder:
    return open_encoder(folder, CollateSettings())


def batch_of(encoder: Encoder, images: tuple[int, ...], *answers: str) -> PrefixBatch:
    """One prompt with images by seed, and its answers."""
    group = []
    for answer in answers:
        messages = answered("How many red circles?", len(images), answer)
        encoded = encoder.encode(Conversation(tuple(messages), tuple(picture(seed) for seed in images)))
        assert isinstance(encoded, Encoded)
        group.append(encoded)
    return prefix_batch([group], encoder)


def aware(folder: str, settings: ShortcutSettings = ON) -> ShortcutAware:
    return ShortcutAware(new_reward_model(folder, "float64", seed=0), settings, seed=0)


@torch.no_grad()
def test_the_proxy_does_not_see_images_and_the_model_does(folder: str, encoder: Encoder) -> None:
    module = aware(folder)
    one, other = (module(batch_of(encoder, (seed,), "There are three.", "two")) for seed in (1, 2))
    assert torch.equal(one[1], other[1])
    assert (one[0] - other[0]).abs().min() > 1e-4
    torch.testing.assert_close(one[0], module.model(batch_of(encoder, (1,), "There are three.", "two")))
    assert (one[1, 0] - one[1, 1]).abs() > 1e-4


@torch.no_grad()
def test_what_stands_in_hidden_places_reaches_no_proxy_reward(folder: str, encoder: Encoder) -> None:
    module = aware(folder)
    batch = batch_of(encoder, (1, 2), "three", "There are two.")
    before = module(batch)
    token = module.model.backbone.config.image_token_id
    module.model.backbone.get_input_embeddings().weight[token] += 1.0
    assert torch.equal(module(batch)[1], before[1])


@pytest.mark.parametrize("proxy", ["backbone", "head"])
def test_the_proxys_loss_moves_the_backbone_or_its_head_alone(folder: str, encoder: Encoder, proxy: str) -> None:
    module = aware(folder, ShortcutSettings(enabled=True, proxy=proxy))  # pyright: ignore[reportArgumentType]
    module(batch_of(encoder, (1,), "three", "two"))[1].diff().sum().backward()
    moved = {name for name, weight in module.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert "proxy.weight" in moved
    assert "model.score.weight" not in moved
    assert any(name.startswith("model.backbone.language_model") for name in moved) == (proxy == "backbone")


def test_a_separate_proxy_begins_as_the_backbone_and_learns_apart_from_it(folder: str, encoder: Encoder) -> None:
    module = aware(folder, ShortcutSettings(enabled=True, proxy="separate"))
    batch = batch_of(encoder, (1,), "three", "two")
    torch.testing.assert_close(module(batch), aware(folder)(batch))
    module(batch)[1].diff().sum().backward()
    moved = {name for name, weight in module.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert {name.split(".")[0] for name in moved} == {"reader", "proxy"}
    backbone, head = module.of_proxy()
    learns = {id(weight) for weight in (*backbone, *head)}
    assert learns == {id(weight) for name, weight in module.named_parameters() if not name.startswith("model.")}
    assert not [name for name, _ in module.named_parameters() if "reader.backbone.visual" in name]


def test_a_separate_proxy_keeps_no_copy_of_what_the_vision_tower_makes(folder: str) -> None:
    model = new_reward_model(folder, "float32", seed=0)
    model.looks = {"image": (torch.zeros(4, model.width),)}
    reader = ShortcutAware(model, ShortcutSettings(enabled=True, proxy="separate"), seed=0).reader
    assert reader is not None
    assert reader.looks == {}
    assert list(model.looks) == ["image"]


def test_the_mean_coefficient_is_remembered_within_bounds(folder: str) -> None:
    module = aware(folder)
    assert module.focus.item() == FIRST_FOCUS
    for mean, kept in ((0.25, 0.25), (0.0, 0.25), (1e-9, LEAST_FOCUS)):
        module.remember(mean)
        assert module.focus.item() == pytest.approx(kept)


def test_a_backbone_that_sees_no_images_has_no_shortcut(tmp_path: Path) -> None:
    base = write_family(tmp_path, "qwen3")
    with pytest.raises(ConfigError, match=r"loss\.shortcut compares rewards with and without images"):
        aware(str(base))
