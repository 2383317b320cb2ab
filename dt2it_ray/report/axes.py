"""How numbers become places on paper: linear scales with round ticks."""

import math
from dataclasses import dataclass

from markupsafe import Markup

from dt2it_ray.report.svg import line, text


@dataclass(frozen=True)
class Scale:
    """A linear map from values to coordinates."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The coordinate of a value; values outside the range sit on its edge."""
        inside = min(max(value, self.low), self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers within a range, some `about` of them."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def horizontal_axis(scale: Scale, top: float, bottom: float, about: int = 5) -> Markup:
    """Faint vertical rules from `top` to `bottom` with their values underneath."""
    parts = [
        line(scale.at(value), top, scale.at(value), bottom, "rule")
        + text(scale.at(value), bottom + 15, f"{value:g}", "tick", "middle")
        for value in ticks(scale.low, scale.high, about)
    ]
    return Markup("").join(parts)
