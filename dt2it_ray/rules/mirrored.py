"""How well a difference between two answers tells which one is chosen, whichever of them is shown first."""

import numpy as np

from dt2it_ray.rules.intervals import Codes, Estimate, Floats, Resampling, estimate

UNTOLD = "no_pairs"
EQUAL = "never_differs"


def mirrored_auc(differences: Floats) -> tuple[float, Floats]:
    """The area under the ROC curve when every pair stands in both orders, and the share that each pair has in it.

    A difference is that of the chosen answer minus the rejected one. In both orders it is an example of label 1 with
    the difference and one of label 0 with its negative, so that the area is the share of all pairs (i, j) with
    d_i + d_j > 0, ties half: 0.5 if neither sign prevails. Element i of the second is that share for this i.
    """
    ordered = np.sort(differences)
    below, upto = (np.searchsorted(ordered, -differences, side) for side in ("left", "right"))
    shares = 1 - (below + upto) / 2 / max(1, len(differences))
    return float(shares.mean()) if len(shares) else float("nan"), shares


def estimate_auc(differences: Floats, prompts: Codes, how: Resampling) -> Estimate:
    """The mirrored area with its interval over prompts drawn again, computed from each pair's share in it (the area's
    linear part); None if no difference is other than 0."""
    if len(differences) and not differences.any():
        return Estimate(None, n=len(differences), prompts=len(np.unique(prompts)), note=EQUAL)
    area, shares = mirrored_auc(differences)

    def linear(sums: Floats) -> Floats:
        return np.clip(2 * sums[..., 0] / sums[..., 1] - area, 0, 1)

    return estimate(np.column_stack([shares, np.ones(len(shares))]), prompts, linear, how, UNTOLD)
