"""What one loss is taken of: a pair, or all pairs that share a chosen answer as one group of K answers."""

from collections.abc import Sequence

import numpy as np

from dt2it_ray.data.ids import content_id
from dt2it_ray.models.train_rows import TrainingPair, TrainingRows


class TrainingGroups:
    """Groups of pairs by number. The pairs of a group have one prompt and one chosen answer."""

    def __init__(self, rows: TrainingRows, kwise: bool) -> None:
        """With `kwise`, as few groups as there can be, else one per pair. Groups are in the order of their first pair,
        pairs within them in that of the table."""
        self.rows = rows
        """What the groups are of."""
        labels = _first_seen(rows.chosen_places()) if kwise else np.arange(len(rows))
        self._places = np.argsort(labels, kind="stable")
        self._starts = np.flatnonzero(np.diff(labels[self._places], prepend=-1))
        counts = np.diff(self._starts, append=len(rows))
        self.weights = self._sums(rows.weights) / counts
        """How much each group counts in the loss: the mean of its pairs' weights."""

    def __len__(self) -> int:
        return len(self._starts)

    def pairs(self, index: int) -> list[TrainingPair]:
        """The pairs of a group."""
        return [self.rows.pair(int(place)) for place in self._members(index)]

    def pair_ids(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        """The ids of all pairs of some groups."""
        return self.rows.pair_ids(np.concatenate([self._members(index) for index in indices]))

    def lengths(self) -> np.ndarray:
        """A cheap guess of each group's size, to put groups of like size together: characters of its texts."""
        prompt_and_chosen, rejected = self.rows.lengths()
        return prompt_and_chosen[self._places[self._starts]] + self._sums(rejected)

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Group numbers in the order of an epoch: a function of the seed, the epoch and the pairs' names only."""
        names = self.names()
        ranks = [content_id("training-order", seed, epoch, name) for name in names]
        return np.array(sorted(range(len(names)), key=lambda index: (ranks[index], names[index])))

    def names(self) -> list[str]:
        """A name of each group that does not depend on the order of pairs."""
        all_names = self.rows.pair_ids(self._places)
        ends = np.append(self._starts[1:], len(all_names)).tolist()
        return [min(all_names[start:end]) for start, end in zip(self._starts.tolist(), ends, strict=True)]

    def patterns(self, columns: Sequence[str]) -> list[str]:
        """The pattern of each group, that of its first pair: see `TrainingRows.patterns`."""
        of_pairs = self.rows.patterns(columns)
        return [of_pairs[place] for place in self._places[self._starts].tolist()]

    def _members(self, index: int) -> np.ndarray:
        """Places in the table of a group's pairs."""
        end = self._starts[index + 1] if index + 1 < len(self) else len(self._places)
        return self._places[self._starts[index] : end]

    def _sums(self, figures: np.ndarray) -> np.ndarray:
        """Sums over the pairs of each group of a figure of every pair."""
        return np.add.reduceat(figures[self._places], self._starts)


def _first_seen(keys: np.ndarray) -> np.ndarray:
    """For each row of `keys` the number of its value, counted in the order in which values first come."""
    _, first, numbers = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers.ravel()]
