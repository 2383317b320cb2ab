"""Groups packed into one row without padding give the rewards and gradients of passes of their own, in float32."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from dt2it_ray.models.collate import Encoder, open_encoder
from dt2it_ray.models.loss_settings import ShortcutSettings
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.packing import packed_batch
from dt2it_ray.models.prefix import Block, prefix_batch, row_length
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.shortcut import ShortcutAware
from tests.models.random_families import FAMILIES, write_family
from tests.models.random_model import write_random_model
from tests.models.test_backbone_families import APART, expected_reward, groups

ALL_LEARN = ModelSettings(freeze_vision=False, freeze_projector=False)


@pytest.fixture(scope="module")
def vision(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_random_model(tmp_path_factory.mktemp("vision")))


def opened(folder: str, settings: ModelSettings | None = None) -> tuple[RewardModel, Encoder]:
    settings = settings or ModelSettings()
    encoder = open_encoder(folder, CollateSettings(), readout=settings.readout())
    return new_reward_model(folder, "float32", 1, settings), encoder


def gradients(model: RewardModel | ShortcutAware) -> dict[str, torch.Tensor]:
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_rewards_and_gradients_of_a_packed_row_are_those_of_separate_passes(family: str, tmp_path: Path) -> None:
    folder = write_family(tmp_path, family)
    model, encoder = opened(folder, ALL_LEARN)
    mixed = groups(encoder)
    packed = model(packed_batch(mixed, encoder))
    backbone, head = AutoModel.from_pretrained(folder).eval(), model.get_parameter("score.weight")
    separate = [expected_reward(backbone, head, entry) for group in mixed for entry in group]
    assert packed.tolist() == pytest.approx(separate, abs=1e-5)
    packed.square().sum().backward()
    ours = gradients(model)
    for entry in (entry for group in mixed for entry in group):
        model(prefix_batch([[entry]], encoder)).square().sum().backward()
    theirs = gradients(model)
    assert ours.keys() == theirs.keys()
    assert max(float(gradient.abs().max()) for gradient in theirs.values()) > 0.1
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], atol=1e-4, rtol=1e-4)


def test_a_packed_row_has_no_padding_and_says_where_its_groups_are(vision: str) -> None:
    _, encoder = opened(vision)
    mixed = [*groups(encoder), groups(encoder)[2][:1]]
    batch = packed_batch(mixed, encoder)
    assert batch.ids.shape == (1, sum(row_length(group) for group in mixed))
    assert [block.length for block in batch.blocks] == [row_length(group) for group in mixed]
    assert batch.blocks[-1] == Block(len(mixed[-1][0].ids), ())
    ends = [int(entry.ids[-1]) for group in mixed for entry in group]
    assert batch.ids[0, batch.last[:, 1]].tolist() == ends
    starts = [0, *torch.tensor([block.length for block in batch.blocks]).cumsum(0).tolist()[:-1]]
    assert batch.positions[:, 0, starts].tolist() == [[0] * len(mixed)] * 3


@torch.no_grad()
def test_groups_of_a_packed_row_do_not_see_each_other(vision: str) -> None:
    model, encoder = opened(vision)
    mixed = groups(encoder)
    together = model(packed_batch(mixed, encoder))
    swapped = model(packed_batch([mixed[1], mixed[0], *mixed[2:]], encoder))
    first, second = len(mixed[0]), len(mixed[1])
    order = [*range(first, first + second), *range(first), *range(first + second, len(together))]
    torch.testing.assert_close(swapped, together[order], atol=1e-6, rtol=1e-6)
    assert together.unique().numel() == len(together)


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(pooling="mean"),
        ModelSettings(head="silu", fusion="late"),
        ModelSettings(head="tanh", fusion="cross_attention", pooling="mean"),
    ],
)
@torch.no_grad()
def test_every_readout_reads_a_packed_row_as_it_reads_rows(vision: str, settings: ModelSettings) -> None:
    model, encoder = opened(vision, settings)
    rows, packed = (model(batch(groups(encoder), encoder)) for batch in (prefix_batch, packed_batch))
    torch.testing.assert_close(packed, rows, atol=1e-5, rtol=1e-5)
    assert rows.std() > 0.01


def test_images_are_hidden_from_the_proxy_in_a_packed_row_too(vision: str) -> None:
    model, encoder = opened(vision)
    learner = ShortcutAware(model, ShortcutSettings(enabled=True), seed=0)
    told = []
    for batch in (prefix_batch, packed_batch):
        rewards = learner(batch(groups(encoder), encoder))
        rewards[1].square().sum().backward()
        told.append((rewards.detach(), gradients(learner)))
    (rows, wanted), (packed, found) = told
    torch.testing.assert_close(packed, rows, atol=1e-5, rtol=1e-5)
    assert (rows[0] - rows[1]).abs().max() > 0.01
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, wanted[name], atol=1e-4, rtol=1e-4)


def test_activations_computed_twice_give_the_same_gradients(vision: str) -> None:
    model, encoder = opened(vision)
    model.train()
    model(packed_batch(groups(encoder), encoder)).square().sum().backward()
    once = gradients(model)
    model.backbone.gradient_checkpointing_enable()
    model(packed_batch(groups(encoder), encoder)).square().sum().backward()
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, once[name], atol=1e-6, rtol=1e-6)


def test_a_model_that_shares_no_prompts_gets_padded_rows(vision: str) -> None:
    _, encoder = opened(vision, APART)
    mixed = groups(encoder)
    batch = packed_batch(mixed, encoder)
    assert batch.blocks == ()
    assert batch.ids.shape == (sum(map(len, mixed)), max(len(entry.ids) for group in mixed for entry in group))
