"""How right a reward model is on benchmark pairs: shares with their ties, categories, groups and intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.intervals import wilson

Scores = Sequence[float | None] | NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """How many pairs were ordered as people ordered them; ties and pairs without a score are counted apart."""

    pairs: int
    right: int
    tied: int
    unscored: int

    @property
    def accuracy(self) -> float | None:
        """Share of pairs that are strictly right: ties and unscored pairs are wrong. None if there are no pairs."""
        return self.right / self.pairs if self.pairs else None

    @property
    def accuracy_ties_half(self) -> float | None:
        """The same with half a point for a tie."""
        return (self.right + self.tied / 2) / self.pairs if self.pairs else None


def credits_of(chosen: Scores, rejected: Scores, names: Sequence[str] = ()) -> NDArray[np.float64]:
    """Per pair 1 if the chosen answer scores strictly higher at full precision, 0.5 for a tie, 0 if not, NaN if an
    answer has no score (None).

    Raises:
        StageFailed: a score is NaN or infinite; the message has the pair's name, or its place where `names` is empty.
    """
    sides = []
    for answer, side in (("chosen", chosen), ("rejected", rejected)):
        missing = np.array([score is None for score in side], bool)
        scores = np.array([0.0 if score is None else score for score in side], np.float64)
        if not np.isfinite(scores).all():
            place = int(np.flatnonzero(~np.isfinite(scores))[0])
            pair = names[place] if names else place
            raise StageFailed(
                f"the score of the {answer} answer of pair {pair} is {scores[place]}; the model that gave it is broken"
            )
        sides.append(np.where(missing, np.nan, scores))
    # Compared, not subtracted: the difference of two finite scores may be more than a float holds.
    credits = (sides[0] > sides[1]) + (sides[0] == sides[1]) / 2
    return np.where(np.isnan(sides[0]) | np.isnan(sides[1]), np.nan, credits)


def measure(credits: NDArray[np.float64]) -> Accuracy:
    """The counts over all pairs."""
    return Accuracy(
        pairs=len(credits),
        right=int((credits == 1).sum()),
        tied=int((credits == 0.5).sum()),
        unscored=int(np.isnan(credits).sum()),
    )


def split_by(credits: NDArray[np.float64], labels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """The credits of each label (category, language), in the labels' order."""
    names = np.asarray(labels)
    return {str(name): credits[names == name] for name in np.unique(names)}


def macro(by_category: dict[str, Accuracy]) -> float | None:
    """The plain mean of the categories' accuracies; None if there are none."""
    shares = [entry.accuracy for entry in by_category.values() if entry.accuracy is not None]
    return sum(shares) / len(shares) if shares else None


def macro_interval(
    by_category: dict[str, Accuracy], seed: int = 0, level: float = 0.95, samples: int = 10_000
) -> tuple[float, float] | None:
    """Percentile interval of `macro` when the pairs of every category are drawn again, each category keeping its size;
    None if there are no pairs."""
    counted = [by_category[name] for name in sorted(by_category) if by_category[name].pairs]
    if not counted:
        return None
    sizes = np.array([entry.pairs for entry in counted])
    shares = np.array([entry.right for entry in counted]) / sizes
    drawn = np.random.default_rng(seed).binomial(sizes, shares, size=(samples, len(sizes))) / sizes
    low, high = np.quantile(drawn.mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def groups_right(credits: NDArray[np.float64], groups: Sequence[str]) -> dict[str, bool]:
    """Whether every pair of a group is strictly right, by group."""
    names, places = np.unique(np.asarray(groups, str), return_inverse=True)
    wrong = np.bincount(places, weights=credits != 1, minlength=len(names))
    return {str(name): bool(count == 0) for name, count in zip(names, wrong, strict=True)}


def acc_plus(credits: NDArray[np.float64], groups: Sequence[str]) -> float | None:
    """Acc+ of MM-RLHF (arXiv 2502.10391): the share of groups of which all pairs are right."""
    right = groups_right(credits, groups)
    return sum(right.values()) / len(right) if right else None


def bootstrap_interval(
    credits: NDArray[np.float64], seed: int = 0, level: float = 0.95, samples: int = 10_000
) -> tuple[float, float] | None:
    """Percentile interval of the accuracy when pairs are drawn again with replacement; None if there are no pairs.

    A drawn set of n right-or-wrong pairs has a binomial number of right ones, so that no indices need be drawn and the
    order of pairs does not matter. Where all pairs are right or all are wrong, drawing again tells nothing, and the
    interval is Wilson's.
    """
    if not len(credits):
        return None
    right = int((credits == 1).sum())
    if right in (0, len(credits)):
        return wilson(right, len(credits), level)
    drawn = np.random.default_rng(seed).binomial(len(credits), right / len(credits), size=samples) / len(credits)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
