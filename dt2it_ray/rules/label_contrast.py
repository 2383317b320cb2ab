"""By how much the labels of one construction are truly better than those of another, made of the same prompts.

Whole prompts are drawn again, each with its pairs of both: what makes a prompt easy counts on both sides, so that the
difference is known better than either share."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from dt2it_ray.rules.comparisons import codebook
from dt2it_ray.rules.intervals import Codes, Estimate, Floats, Resampling, estimate, p_of_zero
from dt2it_ray.rules.label_precision import NO_PAIRS


@dataclass(frozen=True)
class Contrast:
    """A share of the second construction minus that of the first."""

    difference: Estimate
    p_value: float | None
    """Two-sided, that there is none; None where there is no interval."""


@dataclass(frozen=True)
class LabelContrast:
    """How two constructions differ in the shares of `LabelPrecision`."""

    precision: Contrast
    precision_of_unequal: Contrast


def label_contrast(first: pa.Table, second: pa.Table, how: Resampling) -> LabelContrast:
    """The second minus the first, by LABEL_TRUTH of both (`prompt_id`, `margin`). A prompt may lack pairs of either;
    there is no interval unless both have pairs of enough prompts."""
    known = codebook(pa.chunked_array([*first["prompt_id"].chunks, *second["prompt_id"].chunks], pa.string()))
    prompts = np.concatenate([known.codes(table["prompt_id"]) for table in (first, second)])
    margins = np.concatenate([table["margin"].to_numpy() for table in (first, second)])
    is_second = np.arange(len(margins)) >= first.num_rows
    better, ones = (margins > 0).astype(float), np.ones(len(margins))
    parts = np.stack([better * ~is_second, ones * ~is_second, better * is_second, ones * is_second], axis=1)
    unequal = margins != 0
    return LabelContrast(_contrast(parts, prompts, how), _contrast(parts[unequal], prompts[unequal], how))


def _contrast(parts: Floats, prompts: Codes, how: Resampling) -> Contrast:
    fewest = min(len(np.unique(prompts[parts[:, ones] > 0])) for ones in (1, 3))
    if fewest < how.min_prompts:
        # The draws would hardly move the share of a side of few prompts, and take it for known.
        how = replace(how, min_prompts=len(parts) + 1)
    told = estimate(parts, prompts, _difference, how, NO_PAIRS)
    return Contrast(told, p_of_zero(parts, prompts, _difference, how))


def _difference(sums: Floats) -> Floats:
    return sums[..., 2] / sums[..., 3] - sums[..., 0] / sums[..., 1]
