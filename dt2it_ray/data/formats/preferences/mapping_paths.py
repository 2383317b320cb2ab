"""How a path such as `text|json.answers[*].value` finds its value in a row, or names what is wrong with it."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats.preferences.values import json_of, list_of, refuse
from dt2it_ray.errors import ConfigError

_STEP = re.compile(r"\.?(?P<name>[^.\[\]|?]+)|\[(?P<place>\d+|\*)\]|\|(?P<json>json)")
ALL = "*"
JSON = "|json"


@dataclass(frozen=True)
class Path:
    """A parsed path: names, places in lists (or `ALL`), and `JSON` where a text is parsed."""

    text: str
    steps: tuple[str | int, ...]
    optional: bool = False

    def find(self, row: Mapping[str, Any]) -> Any:
        """The value; null where an optional path ends early. Refuses a row that lacks it, and names the nearest name
        that the row has."""
        if self.text in row:
            return row[self.text]
        return self._follow(row, self.steps, "")

    def _follow(self, value: Any, steps: tuple[str | int, ...], before: str) -> Any:
        if not steps:
            return value
        step, left = steps[0], steps[1:]
        here = _joined(before, step)
        if value is None and before and self.optional:
            return None
        if step == JSON:
            return self._follow(json_of(value, here), left, here)
        if step == ALL:
            each = enumerate(list_of(value, before))
            return [self._follow(one, left, _joined(before, place)) for place, one in each]
        if isinstance(step, int):
            listed = list_of(value, before)
            if step < len(listed):
                return self._follow(listed[step], left, here)
            return self._lacking(here, f"missing: there are {len(listed)} elements")
        if not isinstance(value, Mapping):
            raise refuse(here, f"{ascii(value)[:60]} is no struct of named values")
        if step in value:
            return self._follow(value[step], left, here)
        near = difflib.get_close_matches(step, [str(name) for name in value], n=1, cutoff=0.0)
        return self._lacking(here, f"missing; did you mean {near[0]}?" if near else "missing")

    def _lacking(self, here: str, problem: str) -> None:
        if not self.optional:
            raise refuse(here, problem)


def parse_path(text: str) -> Path:
    """The path that a setting spells.

    Raises:
        ConfigError: it is no path.
    """
    optional, spelt = text.endswith("?"), text.removesuffix("?")
    steps: list[str | int] = []
    place = 0
    while place < len(spelt):
        found = _STEP.match(spelt, place)
        if found is None or (place == 0 and not found["name"]):
            raise ConfigError(
                f"{text!r} is no column: write a name, then .name into structs, [0] or [*] into lists, |json for a "
                f"text that is JSON, and ? at the end if rows may lack it"
            )
        steps.append(_step(found))
        place = found.end()
    if not steps:
        raise ConfigError("an empty text is no column; leave the setting out")
    return Path(spelt, tuple(steps), optional)


def _step(found: re.Match[str]) -> str | int:
    if found["name"]:
        return found["name"]
    if found["json"]:
        return JSON
    return ALL if found["place"] == "*" else int(found["place"])


def _joined(before: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{before}[{step}]"
    if step in (JSON, ALL):
        return f"{before}{step}" if step == JSON else f"{before}[*]"
    return f"{before}.{step}" if before else str(step)
