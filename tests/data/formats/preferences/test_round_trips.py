"""Whatever a writer writes is read back unchanged: texts, turns and images always, and all else it has a place for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS, WRITTEN
from tests.data.formats.preferences.reading import named

KEEPS = {
    "llama_factory": {"strength"},
    "trl": {"strength"},
    "ms_swift": {"strength"},
    "flat": {
        *("strength", "reference", "category", "item", "chosen_origin", "rejected_origin", "source"),
        *("chosen_critique", "rejected_critique"),
    },
    "rlaif_v": {"category", "item", "source"},
    "skywork": {"item", "source"},
    "tulu": {"item", "source"},
    "hh_rlhf": set(),
}
"""What a format has a place for beside the prompt, the answers and the images."""
BESIDE = KEEPS["flat"]

# Every character of a text, none of which is half a pair, and what might be taken for a mark of a format.
PIECES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(["<image>", "<video>", "\n\nHuman: ", "\n\nAssistant:", "\n", "  ", "ASSISTANT:", '"', "\\"]),
)
TEXT = st.lists(PIECES, max_size=5).map("".join).filter(str.strip)
KNOWN = st.none() | TEXT


@st.composite
def preferences(draw: st.DrawFn) -> Preference:
    """Two different answers behind any turns, of which the users' show images."""
    roles = draw(st.lists(st.sampled_from(["user", "assistant"]), max_size=4))
    turns = [Turn(role, draw(TEXT), draw(st.integers(0, 2)) if role == "user" else 0) for role in roles]
    if draw(st.booleans()):
        turns.insert(0, Turn("system", draw(TEXT)))
    shown = sum(turn.images for turn in turns) + draw(st.integers(0, 2))
    chosen, rejected = draw(st.lists(TEXT, min_size=2, max_size=2, unique=True))
    return Preference(
        question=draw(TEXT),
        chosen=chosen,
        rejected=rejected,
        images=named(*(f"{place}.png" for place in range(shown))),
        history=tuple(turns),
        strength=draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        **{name: draw(KNOWN) for name in sorted(BESIDE - {"strength"})},
    )


def kept(form: str, preference: Preference) -> Preference:
    """What of a preference the format has a place for. RLAIF-V names one model for both answers."""
    if form == "rlaif_v" and preference.chosen_origin == preference.rejected_origin:
        return preference._replace(strength=None, reference=None, chosen_critique=None, rejected_critique=None)
    return preference._replace(**dict.fromkeys(BESIDE - KEEPS[form]))


def through_json(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(row, ensure_ascii=False))


def test_every_writer_is_held_to_it() -> None:
    assert set(WRITTEN) == set(KEEPS)


@pytest.mark.parametrize("form", WRITTEN)
@given(preference=preferences())
def test_what_is_written_is_read_back_unchanged(form: str, preference: Preference) -> None:
    known = PREFERENCE_FORMATS[form]
    assert known.release is not None
    row = known.release(preference, [image["path"] for image in preference.images])
    if row is not None:
        assert known.parse(through_json(row)) == [kept(form, preference)]


@pytest.mark.parametrize("form", WRITTEN)
@given(preference=preferences())
def test_a_plain_preference_is_never_refused(form: str, preference: Preference) -> None:
    known = PREFERENCE_FORMATS[form]
    names = ["a.png"] if form not in ("skywork", "tulu", "hh_rlhf") else []
    plain = preference._replace(question="Q", chosen="a", rejected="b", history=(), images=named(*names))
    assert known.release is not None
    row = known.release(plain, names)
    assert row is not None
    assert known.parse(through_json(row)) == [kept(form, plain)]
