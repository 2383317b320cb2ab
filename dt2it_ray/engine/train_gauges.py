"""How the figures of a training get among Ray's metrics, which Prometheus reads and Grafana shows."""

from collections.abc import Mapping
from typing import Any

PREFIX = "dt2it_train_"
"""Ray puts `ray_` in front of it."""


class TrainGauges:
    """One gauge per figure, with the name of the model as its tag. Gauges keep the figures of the last step."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._gauges: dict[str, Any] = {}

    def set(self, figures: Mapping[str, float]) -> None:
        """Show the figures of a step."""
        from ray.util.metrics import Gauge

        for name, figure in figures.items():
            if name not in self._gauges:
                told = f"{name} of a training, see docs/training.md"
                self._gauges[name] = Gauge(PREFIX + name, description=told, tag_keys=("model",))
            self._gauges[name].set(float(figure), tags={"model": self._model})
