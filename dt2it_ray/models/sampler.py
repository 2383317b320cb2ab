"""Which pairs a step learns from, and how much each counts, where that follows the errors of the model in training.

Weights hold for a round of steps: they are made at its start, of the errors known then, so that a resumed training
draws what an undisturbed one would.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dt2it_ray.data.ids import content_id, unit_interval
from dt2it_ray.models.sampler_settings import SamplerSettings
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_groups import TrainingGroups

UNKNOWN_ERROR = 0.5
"""Of a model that knows nothing."""


class Sampler:
    """Groups of pairs by step. All workers hear the same errors, so they draw the same groups."""

    def __init__(self, groups: TrainingGroups, settings: SamplerSettings, schedule: Schedule, seed: int) -> None:
        """Raises InputError for a pattern of a column that the pairs do not have."""
        self.settings, self._groups, self._schedule, self._seed = settings, groups, schedule, seed
        self._steps = settings.every_steps or schedule.steps_per_epoch
        self._round, self._order = -1, np.empty(0, dtype=np.int64)
        self._order_of: tuple[str, int] = ("", -1)
        """Of what `_order` is the order: an epoch or a round, by number."""
        self._own_weights = groups.weights
        self._weights = np.ones(len(groups))
        self._errors = np.full(len(groups), np.nan)
        names = [""] * len(groups) if self._by_itself else groups.patterns(settings.patterns)
        self._names, self._pattern = np.unique(names, return_inverse=True)

    @property
    def listens(self) -> bool:
        """Whether errors of steps change anything."""
        return self.settings.kind != "uniform"

    @property
    def _by_itself(self) -> bool:
        return self.settings.kind != "rare_patterns"

    def starts_round(self, step: int) -> bool:
        """Whether weights are to be made before this step."""
        return self.listens and step // self._steps != self._round

    def start_round(self, step: int) -> dict[str, Any]:
        """Make the weights of the round of a step; returns figures of them for the log."""
        self._weights = self._make_weights()
        self._enter(step // self._steps)
        mean, square = self._weights.mean(), np.square(self._weights).mean()
        told: dict[str, Any] = {
            "sampler_effective": float(mean**2 / square),
            "sampler_most": float(self._weights.max() / mean),
            "sampler_error": float(self._known_errors().mean()),
        }
        return told | ({} if self._by_itself else {"sampler_patterns": self._patterns_told()})

    def batch(self, step: int) -> np.ndarray:
        """The groups of a step, over all workers."""
        if not self.listens or self.settings.act == "weigh":
            epoch = self._schedule.epoch(step)
            if self._order_of != ("epoch", epoch):
                self._order, self._order_of = self._groups.order(self._seed, epoch), ("epoch", epoch)
            return self._schedule.batch(self._order, step)
        if self._order_of != ("round", self._round):
            self._order, self._order_of = self._draw(), ("round", self._round)
        size = self._schedule.global_batch
        start = step % self._steps * size
        return self._order[start : start + size]

    def hear(self, errors: Sequence[tuple[int, float]]) -> None:
        """Take the errors of some groups by number."""
        for index, error in errors:
            self._errors[index] = error

    def state(self) -> dict[str, np.ndarray]:
        """What `restore` takes."""
        if not self.listens:
            return {}
        return {"errors": self._errors, "weights": self._weights, "round": np.array(self._round)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        if self.listens:
            self._errors, self._weights = state["errors"].copy(), state["weights"].copy()
            self._enter(int(state["round"]))

    def _enter(self, number: int) -> None:
        self._round = number
        if self.settings.act == "weigh":
            self._groups.weights = self._own_weights * (self._weights / self._weights.mean())

    def _known_errors(self) -> np.ndarray:
        """[groups] errors; those not measured yet take the mean of their pattern, or else of all."""
        measured = np.isfinite(self._errors)
        everyone = self._errors[measured].mean() if measured.any() else UNKNOWN_ERROR
        counts = np.bincount(self._pattern[measured], minlength=len(self._names))
        sums = np.bincount(self._pattern[measured], self._errors[measured], minlength=len(self._names))
        means = np.where(counts > 0, sums / np.maximum(counts, 1), everyone)
        return np.where(measured, self._errors, means[self._pattern])

    def _make_weights(self) -> np.ndarray:
        settings, errors = self.settings, self._known_errors()
        shares = np.ones(1)
        if not self._by_itself:
            errors, shares = self._means(errors)[self._pattern], self._shares()
        weights = settings.floor + (1 - settings.floor) * errors**settings.power
        weights = weights * shares[self._pattern] ** -settings.rarity
        return np.minimum(weights, settings.most * weights.mean())

    def _shares(self) -> np.ndarray:
        return np.bincount(self._pattern) / len(self._pattern)

    def _means(self, figures: np.ndarray) -> np.ndarray:
        """[patterns] the mean over the groups of each pattern."""
        return np.bincount(self._pattern, figures) / np.bincount(self._pattern)

    def _patterns_told(self) -> dict[str, dict[str, float]]:
        figures = {
            "share": self._shares(),
            "error": self._means(self._known_errors()),
            "weight": self._means(self._weights / self._weights.mean()),
        }
        return {
            str(name): {kind: round(float(values[place]), 6) for kind, values in figures.items()}
            for place, name in enumerate(self._names)
        }

    def _draw(self) -> np.ndarray:
        """The groups of a round: each as often as its weight says, rounded by chance (systematic resampling).

        With equal weights and rounds of an epoch this is the order of `TrainingGroups`.
        """
        size = self._schedule.global_batch
        total = len(self._groups) if self._steps == self._schedule.steps_per_epoch else self._steps * size
        names = self._groups.names()
        order = self._groups.order(self._seed, self._round)
        expected = self._weights[order] / self._weights.sum() * total
        ends = np.floor(np.cumsum(expected) + unit_interval("sampler", self._seed, self._round))
        ends[-1] = total
        copies = np.diff(ends, prepend=0).astype(np.int64)
        if np.ptp(self._weights) == 0 and total == len(order):
            return order
        drawn = [
            (index, copy) for index, count in zip(order.tolist(), copies.tolist(), strict=True) for copy in range(count)
        ]
        return np.array([index for index, _ in sorted(drawn, key=lambda pick: self._rank(names[pick[0]], pick[1]))])

    def _rank(self, name: str, copy: int) -> tuple[str, str, int]:
        parts = (self._seed, self._round, name, *((copy,) if copy else ()))
        return content_id("training-order", *parts), name, copy
