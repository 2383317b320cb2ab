"""Paths of a mapping: into structs, lists and JSON in texts, and what is said of one that leads nowhere."""

import re
from typing import Any

import pytest

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.preferences.mapping_paths import parse_path
from dt2it_ray.errors import ConfigError

ROW = {
    "a": {"b": [{"c": 1}, {"c": 2}], "text": '{"q": ["x", "y"]}'},
    "dotted.name": "whole",
    "nothing": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[0].c", 1),
        ("a.b[*].c", [1, 2]),
        ("a.text|json.q[1]", "y"),
        ("a.text|json.q[*]", ["x", "y"]),
        ("dotted.name", "whole"),
        ("nothing", None),
        ("nothing.further?", None),
        ("gone?", None),
        ("a.b[7].c?", None),
    ],
)
def test_a_path_finds_its_value(path: str, value: Any) -> None:
    assert parse_path(path).find(ROW) == value


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nothin", "field nothin: missing; did you mean nothing?"),
        ("a.bb", "field a.bb: missing; did you mean b?"),
        ("a.b[2].c", r"field a.b\[2\]: missing: there are 2 elements"),
        ("a.b[*].d", r"field a.b\[0\].d: missing; did you mean c?"),
        ("a.b.c", r"field a.b.c: .* is no struct"),
        ("nothing.further", "field nothing.further: None is no struct"),
        ("a.b[0].c|json.q", "field a.b\\[0\\].c\\|json.q: 1 is no struct"),
        ("dotted.name|json", "missing; did you mean dotted.name"),
    ],
)
def test_a_path_that_leads_nowhere_is_named_with_the_nearest_column(path: str, told: str) -> None:
    with pytest.raises(RowRefused) as caught:
        parse_path(path).find(ROW)
    assert re.search(told, f"{caught.value.where}: {caught.value.problem}")


@pytest.mark.parametrize("path", ["", "?", "a..b", "[0]", "a[x]", "a|yaml", "|json", "a[1"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="no column"):
        parse_path(path)
