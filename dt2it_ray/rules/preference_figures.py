"""What a data set of preferences looks like as a whole: how many rows of which kind, how long, how strong."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COUNTED = ("source", "language", "category")
TEXTS = ("question", "chosen", "rejected")
MOST_NAMED = 50
"""Values of a column that are counted by name: the most frequent."""
SHARES = (0, 5, 25, 50, 75, 95, 100)
"""Percentiles that stand for a distribution."""


class PreferenceFigures:
    """Figures that grow with every table of INGESTED (or of PREFERENCES) that is added."""

    def __init__(self) -> None:
        self.rows = 0
        self.counts = {name: Counter() for name in COUNTED}
        self.images: Counter[int] = Counter()
        self.turns: Counter[int] = Counter()
        self._lengths: dict[str, list[np.ndarray]] = {name: [] for name in TEXTS}
        self._strengths: list[np.ndarray] = []

    def add(self, rows: pa.Table) -> None:
        """Count some rows; columns that they do not have are not counted."""
        there = set(rows.column_names)
        self.rows += rows.num_rows
        for name in there.intersection(COUNTED):
            self.counts[name].update(_counted(rows[name]))
        if "images" in there:
            self.images.update(_counted(pc.fill_null(pc.list_value_length(rows["images"]), 0)))
        if "history" in there:
            self.turns.update(_counted(pc.fill_null(pc.list_value_length(rows["history"]), 0)))
        for name in there.intersection(TEXTS):
            self._lengths[name].append(pc.utf8_length(rows[name]).to_numpy())
        if "strength" in there:
            self._strengths.append(rows["strength"].drop_null().to_numpy())

    def lengths(self, name: str) -> np.ndarray:
        """Characters of a text of every row."""
        return np.concatenate(self._lengths[name] or [np.empty(0, dtype=np.int32)])

    def strengths(self) -> np.ndarray:
        """The strengths of the rows that tell one."""
        return np.concatenate(self._strengths or [np.empty(0)])

    def told(self) -> dict[str, Any]:
        """All of it as plain values."""
        chosen, rejected = self.lengths("chosen"), self.lengths("rejected")
        longer = float((chosen > rejected).mean()) if len(chosen) else None
        return {
            "rows": self.rows,
            **{f"by_{name}": _named(counts) for name, counts in self.counts.items()},
            "by_images": {str(number): self.images[number] for number in sorted(self.images)},
            "by_turns_before": {str(number): self.turns[number] for number in sorted(self.turns)},
            "characters": {name: spread(self.lengths(name)) for name in TEXTS},
            "chosen_longer": longer,
            "strength": {"known": len(self.strengths()), **spread(self.strengths())},
        }


def spread(values: np.ndarray) -> dict[str, float]:
    """Percentiles and the mean of finite numbers; nothing of none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {}
    points = np.percentile(finite, SHARES)
    return {
        "mean": float(finite.mean()),
        **{f"p{share}": float(point) for share, point in zip(SHARES, points, strict=True)},
    }


def _counted(column: pa.ChunkedArray) -> dict[Any, int]:
    return {entry["values"].as_py(): entry["counts"].as_py() for entry in column.value_counts()}


def _named(counts: Counter) -> dict[str, int]:
    """Counts by name, the most frequent first; what is not named is summed up."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], str(entry[0])))
    told = {"" if name is None else str(name): number for name, number in ordered[:MOST_NAMED]}
    rest = sum(number for _, number in ordered[MOST_NAMED:])
    return told | ({"(others)": rest} if rest else {})
