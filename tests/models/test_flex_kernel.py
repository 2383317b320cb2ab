"""One kernel over a packed row gives the rewards and gradients of one call for each part, and of separate passes.

Without a GPU it runs uncompiled. Its way back, which torch then refuses as slow, is let through for these tests.
"""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from dt2it_ray.errors import ConfigError
from dt2it_ray.models import flex_kernel
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.flex_kernel import TILE, Heads, flex_mask, takes_flex, trouble_of
from dt2it_ray.models.loss_settings import ShortcutSettings
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.packing import packed_batch
from dt2it_ray.models.prefix import PADDING
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import Attention, ModelSettings
from dt2it_ray.models.shortcut import ShortcutAware, without_images
from tests.models.random_families import FAMILIES, write_family
from tests.models.test_backbone_families import expected_reward, groups

ALL_LEARN = ModelSettings(freeze_vision=False, freeze_projector=False)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def vision(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_family(tmp_path_factory.mktemp("vision"), "qwen3_vl")


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.attention.flex_attention._validate_device", lambda *_: None)


def opened(
    folder: str, attention: Attention, dtype: str = "float32", settings: ModelSettings = ALL_LEARN
) -> tuple[RewardModel, Encoder]:
    model = new_reward_model(folder, dtype, 1, settings)
    model.attention = attention
    return model, open_encoder(folder, CollateSettings(), readout=settings.readout())


def mixed(encoder: Encoder) -> list[list[Encoded]]:
    """Groups of three answers and of two, and an answer alone."""
    several = groups(encoder)
    return [*several, several[0][:1]]


def told(learner: RewardModel | ShortcutAware, encoder: Encoder) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    rewards = learner(packed_batch(mixed(encoder), encoder))
    rewards.square().sum().backward()
    grads = {name: weight.grad for name, weight in learner.named_parameters() if weight.grad is not None}
    return rewards.detach(), grads


@pytest.mark.usefixtures("backwards")
@pytest.mark.parametrize("family", FAMILIES)
def test_one_kernel_gives_the_rewards_and_gradients_of_calls_by_part(family: str, tmp_path: Path) -> None:
    folder = write_family(tmp_path, family)
    (found, ours), (wanted, theirs) = (told(*opened(folder, each, "float64")) for each in ("flex", "blocks"))
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=1e-10)
    assert found.std() > 0.05
    assert ours.keys() == theirs.keys()
    assert max(float(gradient.abs().max()) for gradient in theirs.values()) > 0.1
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_one_kernel_gives_the_rewards_of_transformers_own_passes(family: str, tmp_path: Path) -> None:
    folder = write_family(tmp_path, family)
    model, encoder = opened(folder, "flex")
    backbone, head = AutoModel.from_pretrained(folder).eval(), model.get_parameter("score.weight")
    separate = [expected_reward(backbone, head, entry) for group in mixed(encoder) for entry in group]
    assert model(packed_batch(mixed(encoder), encoder)).tolist() == pytest.approx(separate, abs=1e-5)


@pytest.mark.usefixtures("backwards")
def test_images_are_hidden_from_the_proxy_by_one_kernel_too(vision: str) -> None:
    seen = []
    for attention in ("flex", "blocks"):
        model, encoder = opened(vision, attention)
        seen.append(told(ShortcutAware(model, ShortcutSettings(enabled=True), seed=0), encoder))
    (found, ours), (wanted, theirs) = seen
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert (wanted[0] - wanted[1]).abs().max() > 0.01
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(head="silu", fusion="late"),
        ModelSettings(head="tanh", fusion="cross_attention", pooling="mean"),
    ],
)
@torch.no_grad()
def test_every_readout_reads_what_one_kernel_makes(vision: str, settings: ModelSettings) -> None:
    rewards = []
    for attention in ("flex", "blocks"):
        model, encoder = opened(vision, attention, settings=settings)
        rewards.append(model(packed_batch(mixed(encoder), encoder)))
    torch.testing.assert_close(rewards[0], rewards[1], atol=1e-5, rtol=1e-5)
    assert rewards[0].std() > 0.01


def test_tokens_look_at_the_same_tokens_as_by_parts(vision: str) -> None:
    encoder = open_encoder(vision, CollateSettings())
    batch = packed_batch(mixed(encoder), encoder)
    blind = without_images(batch, encoder.image_token_id)
    for each in (batch, blind):
        mask = flex_mask(each)
        length, filled = each.ids.shape[1], mask.shape[-1]
        assert filled % TILE == 0
        assert filled >= length
        looks = allowed(mask)
        assert looks[length:].sum() == filled - length
        assert torch.equal(looks[length:, length:], torch.eye(filled - length, dtype=torch.bool))
        seen, start = torch.zeros(length, length, dtype=torch.bool), 0
        there = each.branch[0] != PADDING
        for block in each.blocks:
            own = start + block.shared
            for first, size in [(start, block.shared), *starts_of(own, block.own)]:
                places = slice(first, first + size)
                seen[places, start : own if first > start else start] = True
                seen[places, places] = torch.ones(size, size).tril().bool()
            start += block.length
        seen &= there
        seen |= torch.eye(length, dtype=torch.bool)
        hidden = looks[:length, :length] != seen
        assert not hidden[there].any()
    assert int((blind.branch == PADDING).sum()) > 0


def starts_of(first: int, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(first + sum(sizes[:number]), size) for number, size in enumerate(sizes)]


def allowed(mask: flex_kernel.BlockMask) -> torch.Tensor:
    places = torch.arange(mask.shape[-1])
    return mask.mask_mod(places[:1], places[:1], places[:, None], places[None])


def test_rows_of_all_lengths_are_compiled_once(monkeypatch: pytest.MonkeyPatch, vision: str) -> None:
    made = []

    def keep(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> object:
        made.append(graph)
        return graph.forward

    # Tests of trainings in this process may have switched the compiler off.
    monkeypatch.delenv("TORCHDYNAMO_DISABLE", raising=False)
    torch.compiler.reset()
    kernel = torch.compile(flex_kernel.flex_attention, backend=keep, dynamic=True, fullgraph=True)
    monkeypatch.setattr(flex_kernel, "flex_attention", kernel)
    model, encoder = opened(vision, "flex")
    with torch.inference_mode(), torch._dynamo.config.patch(disable=False):
        for number in (1, 2, 3, 5, 8):
            model(packed_batch(mixed(encoder) * number, encoder))
    assert len(made) == 1


def test_the_machine_decides_unless_somebody_does(vision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = opened(vision, "auto")[0].backbone
    gpu = torch.device("cuda")
    assert [takes_flex(each, backbone, CPU, torch.float32) for each in ("auto", "blocks", "flex")] == [0, 0, 1]
    monkeypatch.setattr(flex_kernel, "trouble_of", lambda heads, *_: "" if heads == (4, 2, 16) else str(heads))
    monkeypatch.setattr(backbone.config.get_text_config(), "head_dim", 16)
    assert [takes_flex(each, backbone, gpu, torch.bfloat16) for each in ("auto", "blocks", "flex")] == [1, 0, 1]
    assert not takes_flex("auto", backbone, gpu, torch.float64)


def test_a_kernel_that_does_not_compile_is_told_once_and_left_alone(
    vision: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise NotImplementedError("head width 8 is too small\nand so on")

    trouble_of.cache_clear()
    monkeypatch.setattr(flex_kernel, "flex_attention", fails)
    heads = Heads(4, 2, 8)
    for _ in range(2):
        assert trouble_of(heads, CPU, torch.float32, False) == "NotImplementedError: head width 8 is too small"
    assert capsys.readouterr().err.count("auto takes blocks: NotImplementedError: head width 8 is too small\n") == 1
    monkeypatch.setattr(flex_kernel, "trouble_of", lambda *_: "too small")
    backbone = opened(vision, "auto")[0].backbone
    assert not takes_flex("auto", backbone, torch.device("cuda"), torch.bfloat16)
    with pytest.raises(ConfigError, match=r"attention=flex does not work here \(too small\); set attention=blocks"):
        takes_flex("flex", backbone, torch.device("cuda"), torch.bfloat16)
    trouble_of.cache_clear()


def test_a_kernel_that_computes_something_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = Heads(4, 2, 16)
    trouble_of.cache_clear()
    assert trouble_of(heads, CPU, torch.float32, False) == ""
    right = flex_kernel.flex_attention
    for wrong in (1.5, float("nan")):
        monkeypatch.setattr(flex_kernel, "flex_attention", lambda *given, by=wrong, **how: by * right(*given, **how))
        trouble_of.cache_clear()
        assert "from plain attention" in trouble_of(heads, CPU, torch.float32, False)
    trouble_of.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_compiled_kernel_gives_plain_attention_and_its_gradients(dtype: torch.dtype) -> None:
    trouble_of.cache_clear()
    for heads in (Heads(32, 8, 128), Heads(28, 4, 128), Heads(16, 2, 64)):
        assert trouble_of(heads, torch.device("cuda"), dtype, True) == ""
