"""What a fingerprint can hold, and where it says that a value cannot be held."""

import math

import pytest

from dt2it_ray.store.fingerprint import FINGERPRINT_LENGTH, canonical_json, differences, fingerprint


def test_one_plain_value_has_one_text() -> None:
    assert canonical_json({"b": [1, 2.5, None, True], "a": {"图": "x"}}) == '{"a":{"图":"x"},"b":[1,2.5,null,true]}'
    assert canonical_json((1, 2)) == canonical_json([1, 2])
    assert len(fingerprint("score", 1, {}, {})) == FINGERPRINT_LENGTH


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": {"b": [0.0, math.nan]}}, r"\$\.a\.b\[1\] is nan"),
        ({"a": {"b": math.inf}}, r"\$\.a\.b is inf"),
        ({"a": {1: "x"}}, r"\$\.a has the key 1"),
        ({"a": [{"b": b"x"}]}, r"\$\.a\[0\]\.b is a bytes"),
        ({1, 2}, r"\$ is a set"),
    ],
)
def test_a_value_without_plain_form_is_named_with_its_place(value: object, where: str) -> None:
    with pytest.raises(TypeError, match=where):
        canonical_json(value)


def test_differences_cover_added_removed_and_retyped_settings() -> None:
    old = {"same": 1, "gone": 2, "group": {"x": 1, "y": 1}, "kind": {"x": 1}}
    new = {"same": 1, "fresh": "a", "group": {"x": 1, "y": 2}, "kind": 3}
    assert differences(old, new) == [
        'fresh: null -> "a"',
        "gone: 2 -> null",
        "group.y: 1 -> 2",
        'kind: {"x": 1} -> 3',
    ]
    assert differences(old, old) == []
