"""How far raters agree beyond chance: Cohen's kappa and Krippendorff's alpha, as statistics of sums over prompts."""

import numpy as np

from dt2it_ray.rules.intervals import Codes, Floats


def kappa_parts(one: Codes, other: Codes, categories: int) -> Floats:
    """The cell of the table that each thing is in which both raters put into a category (0 to `categories` - 1)."""
    parts = np.zeros((len(one), categories**2))
    parts[np.arange(len(one)), one * categories + other] = 1
    return parts


def kappa(sums: Floats) -> Floats:
    """Cohen's kappa of a table of counts, its cells along the last axis; NaN if both only ever use one category."""
    categories = round(sums.shape[-1] ** 0.5)
    table = sums.reshape(*sums.shape[:-1], categories, categories)
    total = table.sum(axis=(-1, -2))
    alike = np.trace(table, axis1=-2, axis2=-1) / total
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2
    return (alike - by_chance) / (1 - by_chance)


def interval_parts(units: Codes, ratings: Floats) -> tuple[Codes, Floats]:
    """For Krippendorff's alpha of numbers: every unit with at least two ratings, and its parts of the sums."""
    rated, places, counts = np.unique(units, return_inverse=True, return_counts=True)
    # Alpha does not depend on the origin; near it, sums of squares lose no digits.
    centred = ratings - ratings.sum() / max(1, len(ratings))
    sums = np.bincount(places, centred, len(rated))
    squares = np.bincount(places, centred**2, len(rated))
    told = counts > 1
    m, s, q = counts[told], sums[told], squares[told]
    parts: Floats = np.stack([2 * (m * q - s**2) / (m - 1), m, s, q], axis=1, dtype=np.float64)
    return rated[told], parts


def interval_alpha(sums: Floats) -> Floats:
    """Krippendorff's alpha with squared differences (interval metric); NaN if all ratings are equal."""
    apart, n, s, q = (sums[..., place] for place in range(4))
    expected = 2 * (n * q - s**2) / (n - 1)
    return np.where(expected > 1e-9 * n, 1 - apart / expected, np.nan)


def nominal_parts(units: Codes, ratings: Codes, categories: int) -> tuple[Codes, Floats]:
    """For Krippendorff's alpha of categories (0 to `categories` - 1): every unit with at least two ratings, and its
    parts of the sums."""
    rated, places = np.unique(units, return_inverse=True)
    cells = np.bincount(places * categories + ratings, minlength=len(rated) * categories)
    table = cells.reshape(len(rated), categories).astype(np.float64)
    m = table.sum(axis=1)
    told = m > 1
    table, m = table[told], m[told]
    apart = (m**2 - (table**2).sum(axis=1)) / (m - 1)
    return rated[told], np.column_stack([apart, table])


def nominal_alpha(sums: Floats) -> Floats:
    """Krippendorff's alpha with equal or not (nominal metric); NaN if all ratings are of one category."""
    apart, counts = sums[..., 0], sums[..., 1:]
    n = counts.sum(axis=-1)
    return 1 - apart * (n - 1) / (n**2 - (counts**2).sum(axis=-1))
