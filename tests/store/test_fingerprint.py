import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.store.fingerprint import canonical_json, differences, fingerprint

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), plain, min_size=2))
def test_the_order_of_keys_does_not_matter(settings: dict) -> None:
    backwards = dict(reversed(settings.items()))
    assert fingerprint("score", 1, settings, {}) == fingerprint("score", 1, backwards, {})


def test_every_part_of_the_identity_matters() -> None:
    prints = {
        fingerprint("score", 1, {"a": 1}, {"rows": "x"}),
        fingerprint("judge", 1, {"a": 1}, {"rows": "x"}),
        fingerprint("score", 2, {"a": 1}, {"rows": "x"}),
        fingerprint("score", 1, {"a": 1.5}, {"rows": "x"}),
        fingerprint("score", 1, {"a": 1}, {"rows": "y"}),
        fingerprint("score", 1, {"a": 1}, {"more": "x"}),
    }
    assert len(prints) == 6


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object(), b"x", {1: "a"}])
def test_what_has_no_plain_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"\$\.deep"):
        canonical_json({"deep": value})


def test_differences_name_the_nested_key_with_both_values() -> None:
    old, new = {"flip": {"share": 0.5, "rule": "worst"}, "n": 1}, {"flip": {"share": 0.3, "rule": "worst"}, "m": 2}
    assert differences(old, new) == ["flip.share: 0.5 -> 0.3", "m: null -> 2", "n: 1 -> null"]
