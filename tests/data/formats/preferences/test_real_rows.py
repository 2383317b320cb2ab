"""Rows that other people released: a few of LLaMA-Factory's demonstrations and of HH-RLHF (see excerpts/LICENSE.md)."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Preference
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS, WRITTEN

EXCERPTS = Path(__file__).parent / "excerpts"
FILES = (("llama_factory", "llama_factory_dpo.json"), ("llama_factory", "llama_factory_v1.jsonl"))
FILES = (*FILES, ("hh_rlhf", "hh_rlhf.jsonl"))


def rows_of(name: str) -> list[dict[str, Any]]:
    text = (EXCERPTS / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]


def pairs_of(form: str, name: str) -> list[Preference]:
    return [pair for row in rows_of(name) for pair in PREFERENCE_FORMATS[form].parse(row)]


def test_llama_factory_demonstrations_have_system_prompts_and_several_turns() -> None:
    pairs = pairs_of(*FILES[0])
    assert [[turn.role for turn in pair.history] for pair in pairs] == [
        [],
        [],
        ["system"],
        ["user", "assistant", "user", "assistant"],
    ]
    assert (pairs[0].chosen, pairs[0].rejected) == (
        "6778576 - 84834150134 = -84827371558",
        "84834150134 - 6778576 = -16666579378",
    )
    assert pairs[3].question.startswith("Can you elaborate on why")


def test_version_1_says_the_same_as_the_older_demonstration() -> None:
    older, newer = pairs_of(*FILES[0])[2], pairs_of(*FILES[1])[1]
    assert (newer.question, newer.history, newer.chosen) == (older.question, older.history, older.chosen)


def test_hh_rlhf_splits_people_from_the_assistant() -> None:
    first = pairs_of(*FILES[2])[0]
    assert first.question == "Is it possible to download a car?"
    assert first.chosen == "I’m not sure what you mean. Can you clarify?"
    assert first.rejected == "I’m sorry, I don’t understand."


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize(("origin", "name"), FILES)
def test_real_pairs_are_written_and_read_back(form: str, origin: str, name: str) -> None:
    written = PREFERENCE_FORMATS[form]
    assert written.release is not None
    pairs = pairs_of(origin, name)
    rows = [(pair, written.release(pair, [])) for pair in pairs]
    held = [(pair, row) for pair, row in rows if row is not None]
    assert [written.parse(row) for _, row in held] == [[pair] for pair, _ in held]
    alone = [pair for pair in pairs if not pair.history]
    expected = {
        "rlaif_v": [],
        "flat": alone,
        "hh_rlhf": [p for p in pairs if not p.history or p.history[0].role != "system"],
    }
    assert [pair for pair, _ in held] == expected.get(form, pairs)
