"""How a rater uses the scale: mean and spread of every attribute, and how far each follows the length of the answer."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dt2it_ray.data.attributes import ATTRIBUTES, QUALITY


def rater_figures(flat: pa.Table) -> dict[str, Mapping[str, Any]]:
    """Figures by rater, from `flat_ratings` of all of them: `answers`, and for each attribute and `quality` the `mean`,
    the standard deviation `sd` (of the population) and the `length_correlation`.

    The last is Pearson's r between value and characters after the mean of the prompt is taken from both, so that it
    compares answers to one prompt; null where either never differs. It should be high for verbosity; where it is high
    for the quality, the rater may be led by length.
    """
    judges = sorted(pc.unique(flat["judge"]).to_pylist())
    return {judge: _figures(flat.filter(pc.equal(flat["judge"], judge))) for judge in judges}


def _figures(rated: pa.Table) -> Mapping[str, Any]:
    group = rated["prompt_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    values = {name: rated[name].to_numpy().astype(np.float64) for name in ATTRIBUTES}
    values["quality"] = np.sum([values[name] for name in QUALITY], axis=0)
    length = _centred(rated["characters"].to_numpy().astype(np.float64), group)
    figures = {
        name: {
            "mean": float(numbers.mean()),
            "sd": float(numbers.std()),
            "length_correlation": _correlation(_centred(numbers, group), length),
        }
        for name, numbers in values.items()
    }
    return {"answers": rated.num_rows, **figures}


def _centred(numbers: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    means = np.bincount(group, weights=numbers) / np.bincount(group)
    return numbers - means[group]


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Pearson's r of numbers whose means are 0."""
    scale = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / scale if scale > 1e-9 else None
