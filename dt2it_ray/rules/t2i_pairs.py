"""Which pairs of images are made of several images of one caption, and how strong each preference is."""

import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple

from dt2it_ray.data.ids import content_id

Pairing = Literal["all", "best"]
"""Every two images, or the best ones against each of the others."""


class ImagePair(NamedTuple):
    """Places of two images of a choice."""

    better: int
    worse: int
    strength: float | None
    """The gap of their scores, of ranks too; None where no score was given."""
    tied: bool = False
    """Neither is preferred; `better` is then merely the earlier one."""


GAP_DECIMALS = 6
"""0.3 - 0.1 is a gap of 0.2, though floats make it a little less."""
PREFERRED_FIRST = (ImagePair(0, 1, None),)
"""The pair of a row that says nothing but which of its two images is preferred."""


def form_pairs(
    scores: Sequence[float], pairing: Pairing = "all", keep_ties: bool = True, least_gap: float = 0.0
) -> tuple[ImagePair, ...]:
    """The pairs of images with these scores, higher being better, by the places of their images.

    Equal scores are a tie; gaps have 6 decimals. Pairs that are no tie are left out if their gap is below `least_gap`.
    """
    best = max(scores)
    pairs = []
    for one, two in itertools.combinations(range(len(scores)), 2):
        if pairing == "best" and best not in (scores[one], scores[two]):
            continue
        gap = round(scores[one] - scores[two], GAP_DECIMALS)
        if gap == 0 and keep_ties:
            pairs.append(ImagePair(one, two, 0.0, tied=True))
        elif gap != 0 and abs(gap) >= least_gap:
            pairs.append(ImagePair(one, two, gap) if gap > 0 else ImagePair(two, one, -gap))
    return tuple(pairs)


def at_most(pairs: tuple[ImagePair, ...], most: int, names: Sequence[str], seed: int) -> tuple[ImagePair, ...]:
    """Up to `most` of the pairs in their order, drawn by the names of their images, so that all strengths are kept.

    0 keeps all of them.
    """
    if not most or len(pairs) <= most:
        return pairs
    drawn = sorted(pairs, key=lambda pair: content_id("most", seed, *sorted((names[pair.better], names[pair.worse]))))
    kept = set(drawn[:most])
    return tuple(pair for pair in pairs if pair in kept)
