"""Every figure that is told of a model on a benchmark, from the rewards of its pairs: the one place that says how."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dt2it_ray.rules.accuracy_bins import by_length_difference, by_strength
from dt2it_ray.rules.benchmarks import APART, CATEGORIES_AS_RELEASED, CATEGORY_MAPS, COLUMNS, WITH_ACC_PLUS, Columns
from dt2it_ray.rules.calibration_curve import calibration
from dt2it_ray.rules.intervals import Resampling, estimate_share
from dt2it_ray.rules.metrics import (
    acc_plus,
    bootstrap_interval,
    credits_of,
    groups_right,
    macro,
    macro_interval,
    measure,
    split_by,
)

Floats = NDArray[np.float64]
WIDEST = 1e300
"""Margins are cut to this, so that their sum stays finite, whatever finite rewards somebody gives."""


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of one benchmark with the rewards of one model, in one order; a reward is None where it gave none."""

    names: Sequence[str]
    """What a pair is called in messages."""
    categories: Sequence[str]
    """Those of the official score."""
    groups: Sequence[str]
    """What Acc+ counts by."""
    chosen: Sequence[float | None]
    rejected: Sequence[float | None]
    lengths: NDArray[np.int64]
    """[n, 2]: characters of the chosen and of the rejected answer."""
    strengths: Sequence[float | None] = ()
    """How much better people found the chosen answer; empty where no row says."""

    def credits(self) -> Floats:
        """1 for right, 0.5 for a tie, 0 for wrong, NaN without rewards. Raises StageFailed for a broken reward."""
        return credits_of(self.chosen, self.rejected, self.names)

    def margins(self) -> Floats:
        """Rewards of chosen minus rejected answers, of the pairs that have both, at most `WIDEST` apart."""
        both = zip(self.chosen, self.rejected, strict=True)
        margins = [a - b for a, b in both if a is not None and b is not None]
        return np.clip(np.array(margins, np.float64), -WIDEST, WIDEST)


def benchmark_figures(benchmark: str, pairs: ScoredPairs, how: Resampling, margins: bool = True) -> dict[str, Any]:
    """The figures of one model as plain JSON values. Ties and pairs without rewards are wrong (official).

    `margins` says whether rewards are on a scale on which sigmoid(margin) means something.

    Raises:
        StageFailed: a reward is NaN or infinite.
    """
    credits = pairs.credits()
    part = _part_figures(pairs, credits, how)
    labels = np.asarray(pairs.categories, str)
    with_groups = benchmark in WITH_ACC_PLUS
    return {
        **part(np.ones(len(credits), bool)),
        "accuracy_ties_half": measure(credits).accuracy_ties_half,
        "unscored": measure(credits).unscored,
        "accuracy_scored": measure(credits[~np.isnan(credits)]).accuracy,
        **_means(benchmark, pairs, credits, how),
        **(_acc_plus(pairs, credits, how) if with_groups else {"acc_plus": None}),
        "categories": {
            str(name): part(labels == name) | (_groups(pairs, credits, labels == name) if with_groups else {})
            for name in np.unique(labels)
        },
        **{name: part(~np.char.startswith(labels, left_out)) for name, left_out in APART.get(benchmark, {}).items()},
        "by_length_difference": by_length_difference(credits, pairs.lengths),
        "by_strength": by_strength(credits, pairs.strengths) if pairs.strengths else [],
        "calibration": calibration(pairs.margins()) if margins else None,
        "level": how.level,
    }


def _part_figures(
    pairs: ScoredPairs, credits: Floats, how: Resampling
) -> Callable[[NDArray[np.bool_]], dict[str, Any]]:
    """A function from a choice of pairs to their accuracy, its interval, the counts, and the two baselines."""
    difference = pairs.lengths[:, 0] - pairs.lengths[:, 1]

    def tell(here: NDArray[np.bool_]) -> dict[str, Any]:
        counts = measure(credits[here])
        return {
            "accuracy": counts.accuracy,
            "interval": bootstrap_interval(credits[here], how.seed, how.level, how.samples),
            "n": counts.pairs,
            "correct": counts.right,
            "ties": counts.tied,
            "longer_wins": _share(difference[here] > 0),
            "shorter_wins": _share(difference[here] < 0),
        }

    return tell


def _means(benchmark: str, pairs: ScoredPairs, credits: Floats, how: Resampling) -> dict[str, Any]:
    """The plain mean over categories, or over the columns that the benchmark's headline is the mean of."""
    parts = {name: measure(part) for name, part in split_by(credits, pairs.categories).items()}
    over = CATEGORY_MAPS.get(benchmark, CATEGORIES_AS_RELEASED)
    told: dict[str, Any] = {
        "macro_accuracy": macro(parts),
        "macro_interval": macro_interval(parts, how.seed, how.level, how.samples),
        "macro_over": over,
    }
    columns = COLUMNS.get(benchmark)
    if columns is None:
        return told
    scores = {name: _column(columns, members, parts) for name, members in columns.members.items()}
    shares = [score["accuracy"] for score in scores.values() if score["n"]]
    mean = sum(shares) / len(shares) if shares else None
    left_out = sorted(set(parts).difference(*columns.members.values()))
    told["columns"] = {"over": columns.name, "macro_accuracy": mean, "scores": scores, "left_out": left_out}
    if columns.headline:
        told |= {"macro_accuracy": mean, "macro_interval": None, "macro_over": columns.name}
    return told


def _column(columns: Columns, members: Sequence[str], parts: dict[str, Any]) -> dict[str, Any]:
    here = {name: parts[name] for name in members if name in parts}
    weights = {name: columns.counts.get(name, part.pairs) for name, part in here.items()}
    score = sum(part.accuracy * weights[name] for name, part in here.items())
    return {
        "accuracy": score / sum(weights.values()) if here else None,
        "n": sum(part.pairs for part in here.values()),
        "correct": sum(part.right for part in here.values()),
    }


def _acc_plus(pairs: ScoredPairs, credits: Floats, how: Resampling) -> dict[str, Any]:
    """Acc+ with its interval, and the interval of the accuracy when whole groups are drawn again."""
    right = groups_right(credits, pairs.groups)
    whole = np.array([float(one) for one in right.values()])
    _, codes = np.unique(np.asarray(pairs.groups, str), return_inverse=True)
    over_groups = estimate_share((credits == 1).astype(np.float64), codes.astype(np.int64), how, "no_pairs")
    return {
        "acc_plus": acc_plus(credits, pairs.groups),
        "acc_plus_interval": bootstrap_interval(whole, how.seed, how.level, how.samples),
        "groups": len(right),
        "groups_correct": sum(right.values()),
        "interval_over_groups": None if over_groups.low is None else (over_groups.low, over_groups.high),
    }


def _groups(pairs: ScoredPairs, credits: Floats, here: NDArray[np.bool_]) -> dict[str, Any]:
    groups = [group for group, is_here in zip(pairs.groups, here.tolist(), strict=True) if is_here]
    right = groups_right(credits[here], groups)
    return {"acc_plus": acc_plus(credits[here], groups), "groups": len(right), "groups_correct": sum(right.values())}


def _share(hits: NDArray[np.bool_]) -> float | None:
    return int(hits.sum()) / len(hits) if len(hits) else None
