"""What a reward is worth for choosing among n answers: the quality of its pick against n and KL."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dt2it_ray.rules.intervals import Estimate, Resampling, estimate

Floats = NDArray[np.float64]
WIDEST = 1e150
"""Qualities and rewards are cut to this, so that their sums stay finite, whatever finite numbers a file has."""


@dataclass(frozen=True)
class Answered:
    """The answers to one prompt: the known quality of each (higher is better) and the reward that it got."""

    qualities: Sequence[float]
    rewards: Sequence[float]


def expected_picks(qualities: Sequence[float], rewards: Sequence[float], most: int = 0) -> Floats:
    """For n from 1 to N (or `most`), the exact expected quality of the answer with the highest reward among n of the N
    answers, drawn without replacement. Among answers with equal rewards the pick is drawn evenly.

    Of the N answers sorted by reward, the k-th best is picked if it is drawn and no better one is: with a chance of
    C(N - k, n - 1) / C(N, n).
    """
    total = len(qualities)
    order = np.argsort(-np.asarray(rewards, np.float64), kind="stable")
    values = np.clip(np.asarray(qualities, np.float64)[order], -WIDEST, WIDEST)
    _, ties = np.unique(-np.asarray(rewards, np.float64)[order], return_inverse=True)
    values = (np.bincount(ties, values) / np.bincount(ties))[ties]
    return np.array([_chances(total, n) @ values for n in range(1, (most or total) + 1)])


def divergence(n: int) -> float:
    """KL divergence in nats of picking the best of n from drawing one: log n - (n - 1) / n (arXiv 2210.10760)."""
    return math.log(n) - (n - 1) / n


def best_of_n(prompts: Sequence[Answered], how: Resampling, most: int = 0) -> dict[str, Any]:
    """The curve for n = 1 .. `most` as plain values: the reward's pick, the best answer (oracle), a random one, each
    the mean over prompts with its interval over prompts, and the drop from the best n to the last.

    `most` 0 stands for as many answers as every prompt has. Prompts with fewer answers than `most` are left out and
    counted, so that the whole curve is over the same prompts.
    """
    most = most or min((len(prompt.qualities) for prompt in prompts), default=0)
    kept = [prompt for prompt in prompts if len(prompt.qualities) >= most]
    told: dict[str, Any] = {"prompts": len(kept), "left_out": len(prompts) - len(kept), "most": most}
    if not kept or not most:
        return told | {"curve": [], "peak": None, "fall_after_peak": None, "over_optimised": False}
    picked = np.stack([expected_picks(prompt.qualities, prompt.rewards, most) for prompt in kept])
    oracle = np.stack([expected_picks(prompt.qualities, prompt.qualities, most) for prompt in kept])
    proxy = np.stack([expected_picks(prompt.rewards, prompt.rewards, most) for prompt in kept])
    told["curve"] = [
        _point(n, picked[:, n - 1], oracle[:, n - 1], proxy[:, n - 1], picked[:, 0], how) for n in _ns(most)
    ]
    # Over-optimisation: quality falls again although the reward of the pick still grows.
    peak = int(np.argmax(picked.mean(axis=0).round(12)))
    fall = _mean(picked[:, most - 1] - picked[:, peak], how)
    told["peak"] = {"n": peak + 1, "kl": divergence(peak + 1), "quality": float(picked[:, peak].mean())}
    told["fall_after_peak"] = _plain(fall)
    told["over_optimised"] = bool(fall.high is not None and fall.high < 0)
    return told


def _ns(most: int) -> list[int]:
    """All n up to 16, then about eight to each doubling."""
    return sorted({n for n in range(1, most + 1) if n <= 16 or n % max(1, 2 ** (n.bit_length() - 4)) == 0} | {most})


def _point(n: int, picked: Floats, oracle: Floats, proxy: Floats, random: Floats, how: Resampling) -> dict[str, Any]:
    room = float((oracle - random).mean())
    return {
        "n": n,
        "kl": divergence(n),
        "picked": _plain(_mean(picked, how)),
        "oracle": _plain(_mean(oracle, how)),
        "random": _plain(_mean(random, how)),
        "gain": _plain(_mean(picked - random, how)),
        "gain_share": float((picked - random).mean()) / room if room > 0 else None,
        "reward": float(proxy.mean()),
    }


def _mean(values: Floats, how: Resampling) -> Estimate:
    parts = np.stack([values, np.ones(len(values))], axis=1)
    return estimate(parts, np.arange(len(values)), lambda sums: sums[..., 0] / sums[..., 1], how, "no_prompts")


def _plain(told: Estimate) -> dict[str, Any]:
    return {"value": told.value, "interval": None if told.low is None else (told.low, told.high), "note": told.note}


@functools.lru_cache(maxsize=4096)
def _chances(total: int, n: int) -> Floats:
    """The chance of the k-th best of `total` answers to be the best of n drawn, for k = 1 .. `total`."""
    whole = math.comb(total, n)
    # Of whole numbers: binomials of hundreds are more than a float can hold, their ratios are not.
    return np.array([math.comb(total - k, n - 1) / whole for k in range(1, total + 1)])
