"""The tree of a run's settings."""

from collections.abc import Iterator
from typing import Any

import pytest

from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.settings import Settings

DEFAULTS = RunSettings(name="x")


def nested_values(group: Settings, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and value of every setting inside a group of settings."""
    for name, value in group:
        if isinstance(value, Settings):
            yield from nested_values(value, (*path, name))
        elif path:
            yield (*path, name), value


@pytest.mark.parametrize(("path", "value"), list(nested_values(DEFAULTS)), ids=str)
def test_to_set_one_value_leaves_its_siblings_at_their_defaults(path: tuple[str, ...], value: Any) -> None:
    tree = value
    for name in reversed(path):
        tree = {name: tree}
    assert RunSettings.model_validate({"name": "x", **tree}) == DEFAULTS
