"""Each term of the loss against values worked out by hand, its gradients, and what it does when sides are swapped."""

import math

import pytest
import torch

from dt2it_ray.models.loss import cross_entropy, losses, preference, reward_scaling, shortcut_failure, top_one
from dt2it_ray.models.loss_settings import ContrastiveSettings, LossSettings, ShortcutSettings

NAN = float("nan")
TERMS = {
    "plain": LossSettings(),
    "margin": LossSettings(margin_scale=0.5),
    "soft": LossSettings(soft_temperature=2.0),
    "smooth": LossSettings(label_smoothing=0.1),
    "tie": LossSettings(tie_weight=0.7),
    "centring": LossSettings(centring=0.01),
    "scaling": LossSettings(scaling_boost=0.5),
    "all": LossSettings(
        margin_scale=0.1, soft_temperature=1.0, label_smoothing=0.1, tie_weight=1.0, centring=0.01, scaling_boost=0.5
    ),
}


def bradley_terry(margin: float) -> float:
    return math.log1p(math.exp(-margin))


def cost_of(margin: float, strength: float, **settings: float) -> float:
    """What a pair costs by its label."""
    margins, strengths = torch.tensor([margin], dtype=torch.float64), torch.tensor([strength], dtype=torch.float64)
    return preference(margins, strengths, LossSettings(**settings)).item()  # pyright: ignore[reportArgumentType]


def test_the_default_is_bradley_terry_and_strengths_do_not_matter() -> None:
    rewards = torch.tensor([[1.0, -1.0], [0.0, 0.0], [-2.0, 1.0]], dtype=torch.float64)
    for strengths in (torch.tensor([3.0, 0.0, -1.0]), torch.full((3,), NAN)):
        found = losses(rewards, strengths, LossSettings())
        assert found.total.tolist() == pytest.approx([bradley_terry(2), math.log(2), bradley_terry(-3)], rel=1e-12)
        assert found.terms == {}


def test_a_margin_asks_for_a_difference_by_the_strength() -> None:
    assert cost_of(2.0, 3.0, margin_scale=0.5) == pytest.approx(bradley_terry(0.5))
    assert cost_of(2.0, -3.0, margin_scale=0.5) == pytest.approx(bradley_terry(3.5))
    assert cost_of(2.0, NAN, margin_scale=0.5) == pytest.approx(bradley_terry(2.0))


def test_a_soft_label_costs_least_where_the_margin_is_the_calibrated_one() -> None:
    label = 1 / (1 + math.exp(-1.5))
    expected = label * bradley_terry(0.4) + (1 - label) * bradley_terry(-0.4)
    assert cost_of(0.4, 3.0, soft_temperature=2.0) == pytest.approx(expected)
    margins = torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
    preference(margins, torch.tensor([3.0]), LossSettings(soft_temperature=2.0)).sum().backward()
    assert margins.grad is not None
    assert margins.grad.item() == pytest.approx(0.0, abs=1e-7)
    assert cost_of(0.4, NAN, soft_temperature=2.0) == pytest.approx(bradley_terry(0.4))


def test_a_smoothed_label_is_wrong_with_the_probability_set() -> None:
    expected = 0.9 * bradley_terry(2.0) + 0.1 * bradley_terry(-2.0)
    assert cost_of(2.0, NAN, label_smoothing=0.1) == pytest.approx(expected)
    label = 0.8 / (1 + math.exp(-1.0)) + 0.1
    expected = label * bradley_terry(2.0) + (1 - label) * bradley_terry(-2.0)
    assert cost_of(2.0, 1.0, label_smoothing=0.1, soft_temperature=1.0) == pytest.approx(expected)


def test_only_a_pair_of_strength_zero_is_a_tie() -> None:
    assert cost_of(-3.0, 0.0, tie_weight=0.5) == pytest.approx(4.5)
    assert cost_of(-3.0, 0.0) == pytest.approx(bradley_terry(-3.0))
    for strength in (NAN, 0.1):
        assert cost_of(-3.0, strength, tie_weight=0.5) == pytest.approx(bradley_terry(-3.0))


def test_centring_adds_the_squared_sum_of_the_rewards() -> None:
    found = losses(torch.tensor([[3.0, 2.0]], dtype=torch.float64), torch.tensor([NAN]), LossSettings(centring=0.01))
    assert found.total.item() == pytest.approx(bradley_terry(1.0) + 0.25)
    assert {name: term.item() for name, term in found.terms.items()} == pytest.approx(
        {"preference": bradley_terry(1.0), "centring": 0.25}
    )


def test_scaling_weighs_pairs_by_their_margin_and_gives_no_gradient() -> None:
    margins = torch.tensor([-1.0, 0.0, 2.0, 1000.0], dtype=torch.float64)
    assert reward_scaling(margins, 0.5, 0.5).tolist() == pytest.approx([1, 1, 1.5 - 0.5 / math.e, 1.5])
    rewards = torch.tensor([[2.0, 0.0]], dtype=torch.float64, requires_grad=True)
    losses(rewards, torch.tensor([NAN]), LossSettings(scaling_boost=0.5)).total.sum().backward()
    slope = -(1.5 - 0.5 / math.e) / (1 + math.exp(2.0))
    assert rewards.grad is not None
    assert rewards.grad.tolist() == [pytest.approx([slope, -slope])]


@pytest.mark.parametrize("settings", [TERMS[name] for name in ("margin", "soft", "smooth", "tie")])
def test_gradients_are_those_of_the_values(settings: LossSettings) -> None:
    margins = torch.tensor([0.3, -2.0, 5.0, 0.0], dtype=torch.float64, requires_grad=True)
    strengths = torch.tensor([1.0, NAN, -0.5, 0.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda margins: preference(margins, strengths, settings), (margins,))
    rewards = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    centred = LossSettings(**{**settings.model_dump(), "centring": 0.3})
    assert torch.autograd.gradcheck(lambda rewards: losses(rewards, strengths, centred).total, (rewards,))


def test_a_soft_pair_costs_the_same_with_its_sides_swapped() -> None:
    settings = TERMS["all"].model_copy(update={"scaling_boost": 0.0})
    rewards = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    strengths = torch.tensor([2.0, -1.0, 0.0, 0.3, 5.0, -7.0], dtype=torch.float64)
    torch.testing.assert_close(
        losses(rewards.flip(1), -strengths, settings).total, losses(rewards, strengths, settings).total
    )


@pytest.mark.parametrize("name", TERMS)
def test_the_losses_of_parts_of_a_batch_are_those_of_the_whole(name: str) -> None:
    rewards = 3 * torch.randn(7, 2, generator=torch.Generator().manual_seed(1))
    strengths = torch.tensor([2.0, -1.0, 0.0, NAN, 5.0, 0.0, NAN])
    whole = losses(rewards, strengths, TERMS[name]).total
    parts = [losses(rewards[part], strengths[part], TERMS[name]).total for part in (slice(0, 3), slice(3, 7))]
    assert torch.cat(parts).tolist() == pytest.approx(whole.tolist(), rel=1e-6)


def test_rewards_in_half_precision_are_widened_before_the_sums() -> None:
    rewards = torch.tensor([[100.0, 99.5]], dtype=torch.bfloat16)
    found = losses(rewards, torch.tensor([NAN]), LossSettings()).total
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(bradley_terry(0.5), rel=1e-6)


def test_large_margins_stay_finite() -> None:
    logits = torch.tensor([-1e4, 1e4])
    assert cross_entropy(logits, None).tolist() == [1e4, 0.0]
    assert cross_entropy(logits, torch.tensor([0.0, 0.5])).tolist() == [0.0, 5e3]


def test_pairs_that_text_alone_decides_count_less() -> None:
    found = shortcut_failure(torch.tensor([0.3, 3.0, 0.0], dtype=torch.float64), torch.tensor([2.7, 1.0, 0.0]))
    assert found.tolist() == pytest.approx([0.9, 0.25, 0.0], rel=1e-6)


def test_the_proxy_has_its_own_loss_and_weighs_the_other_without_gradient() -> None:
    rewards = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    proxy = torch.tensor([[-2.0, 0.0]], dtype=torch.float64, requires_grad=True)
    own, of_text = bradley_terry(1.0), bradley_terry(-2.0)
    focus = of_text / (own + of_text)
    found = losses(rewards, torch.tensor([NAN]), LossSettings(), proxy, usual_focus=0.5)
    assert found.total.item() == pytest.approx(own * focus / 0.5 + of_text)
    assert found.focus is not None
    assert found.focus.item() == pytest.approx(focus)
    assert {name: term.item() for name, term in found.terms.items()} == pytest.approx(
        {"preference": own * focus / 0.5, "proxy": of_text}
    )
    found.total.sum().backward()
    assert rewards.grad is not None
    assert proxy.grad is not None
    assert rewards.grad[0, 0].item() == pytest.approx(-focus / 0.5 / (1 + math.exp(1.0)))
    assert proxy.grad[0, 0].item() == pytest.approx(-1 / (1 + math.exp(-2.0)))


def test_settings_of_a_shortcut_that_is_off_are_refused() -> None:
    assert ShortcutSettings(enabled=True, proxy="head", normalise="last_mean_1").enabled
    with pytest.raises(ValueError, match=r"do nothing without shortcut\.enabled=true"):
        ShortcutSettings(proxy="head")


def test_the_best_of_k_answers_costs_the_softmax_of_its_reward() -> None:
    rewards = torch.tensor([[1.0, 0.0, 2.0], [1.0, -1.0, -torch.inf]], dtype=torch.float64, requires_grad=True)
    found = losses(rewards, torch.tensor([NAN, 3.0]), LossSettings(kwise=True)).total
    assert found.tolist() == pytest.approx([math.log(math.e + 1 + math.e**2) - 1, bradley_terry(2.0)])
    found.sum().backward()
    assert rewards.grad is not None
    assert rewards.grad[1].tolist() == pytest.approx([-1 / (1 + math.e**2), 1 / (1 + math.e**2), 0.0])
    finite = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(top_one, (finite,))


def test_the_order_of_the_other_answers_does_not_matter() -> None:
    rewards = torch.tensor([[0.5, -1.0, 3.0, 0.2]], dtype=torch.float64)
    assert top_one(rewards[:, [0, 3, 1, 2]]).item() == pytest.approx(top_one(rewards).item(), rel=1e-12)


def test_a_ranking_told_by_its_pairs_has_its_plackett_luce_loss() -> None:
    best, middle, worst = 1.2, 0.1, -0.4
    groups = torch.tensor([[best, middle, worst], [middle, worst, -torch.inf]], dtype=torch.float64)
    exponents = [math.exp(reward) for reward in (best, middle, worst)]
    probability = exponents[0] / sum(exponents) * exponents[1] / sum(exponents[1:])
    assert top_one(groups).sum().item() == pytest.approx(-math.log(probability))


def test_terms_of_pairs_are_refused_for_groups() -> None:
    with pytest.raises(ValueError, match="kwise=true takes no margin_scale, centring"):
        LossSettings(kwise=True, margin_scale=1.0, centring=0.1)


def test_an_answer_that_fits_other_images_as_well_costs_the_softmax_of_its_reward_beside_its_own() -> None:
    rewards = torch.tensor([[1.0, -1.0], [2.0, 0.0], [0.5, 0.0]], dtype=torch.float64)
    others = torch.tensor([[1.0, 1.0], [0.0, -math.inf], [-math.inf, -math.inf]], dtype=torch.float64)
    settings = LossSettings(contrastive=ContrastiveSettings(weight=0.5, images=2))
    found = losses(rewards, torch.full((3,), NAN), settings, others=others)
    expected = [0.5 * math.log(3), 0.5 * bradley_terry(2), 0.0]
    assert found.terms["contrastive"].tolist() == pytest.approx(expected, rel=1e-12)
    preferred = [bradley_terry(margin) for margin in (2, 2, 0.5)]
    assert found.total.tolist() == pytest.approx([sum(both) for both in zip(preferred, expected, strict=True)])


def test_other_images_are_refused_where_they_do_nothing() -> None:
    with pytest.raises(ValueError, match=r"contrastive\.images does nothing without contrastive\.weight"):
        ContrastiveSettings(images=3)
