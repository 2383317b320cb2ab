"""Rows that something went wrong with: every format answers with pairs or with a refusal that names a field."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.preference import PreferenceFormat
from dt2it_ray.data.formats.preferences.mapping import ColumnMapping, mapped
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from tests.data.formats.preferences import test_chat_pairs as chats
from tests.data.formats.preferences import test_flat as flat
from tests.data.formats.preferences import test_image_chats as image_chats
from tests.data.formats.preferences import test_image_pairs as image_pairs
from tests.data.formats.preferences import test_judge_prompts as judged
from tests.data.formats.preferences import test_llama_factory as llama_factory
from tests.data.formats.preferences import test_ms_swift as ms_swift
from tests.data.formats.preferences import test_rated as rated
from tests.data.formats.preferences import test_signed as signed
from tests.data.formats.preferences import test_trl as trl

LABEL = {"first": "good", "second": "bad", "column": "meta.gap"}
MAPPING = {"question": "q", "images": "pics", "label": LABEL, "category": "meta.kind", "item": "meta.who[0]"}
MAPPED_ROW = {"q": "Q", "pics": ["a.png"], "good": "a", "bad": "b", "meta": {"gap": 1.5, "who": ["x"], "kind": "k"}}
ROWS: dict[str, dict[str, Any]] = {
    "llama_factory": llama_factory.SHAREGPT,
    "trl": trl.CHAT,
    "ms_swift": ms_swift.ROW,
    "flat": flat.PAIR,
    "judged_lists": flat.JUDGED,
    "rlaif_v": image_pairs.RLAIF_V,
    "rlhf_v": image_pairs.RLHF_V,
    "spa_vl": {**image_pairs.PAIR, "image": "a.png", "image_name": "a.png"},
    "mmpr": {**image_pairs.PAIR, "image": "a.png"},
    "mm_rlhf": image_pairs.MM_RLHF,
    "unified_reward": image_pairs.MM_RLHF,
    "vlfeedback": rated.VLFEEDBACK,
    "mr2_rm": rated.MR2,
    "povid": image_chats.POVID,
    "ixc_reward": image_chats.IXC,
    "vision_feedback_mix": image_chats.MIX,
    "mmsafe_po": image_chats.MMSAFE,
    "llava_critic": judged.critic("The first response is better."),
    "r1_reward": judged.r1("1"),
    "ultrafeedback": rated.ULTRAFEEDBACK,
    "helpsteer2": signed.HELPSTEER2,
    "helpsteer3": signed.HELPSTEER3,
    "skywork": chats.ROW,
    "tulu": chats.ROW,
    "hh_rlhf": {"chosen": f"{chats.START} a", "rejected": f"{chats.START} b"},
}
JUNK: list[Any] = [
    *(None, "", " ", "<image>", "<video>x", "\ud800", "\n\nHuman: ", "USER:", "{", "[1]", '{"a": 1}', "N/A", "x" * 50),
    *(0, -1, 10**400, 1e308, float("nan"), float("inf"), True, b"", b"bytes"),
    *([], {}, [None], [[]], [{}], {"bytes": 1}, {"url": 5}, {"type": "text"}, {"role": ["user"], "content": {}}),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values inside a row."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def spoilt(row: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The row with one to three of its values replaced, taken out or doubled."""
    row = copy.deepcopy(row)
    for _ in range(draw.randint(1, 3)):
        found = list(places(row))
        if not found:
            return row
        *above, last = draw.choice(found)
        holder: Any = row
        for key in above:
            holder = holder[key]
        action = draw.randrange(8)
        if action == 0:
            del holder[last]
        elif action == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        elif action == 2 and isinstance(holder.get(last) if isinstance(holder, dict) else holder[last], str):
            holder[last] = holder[last][: draw.randint(0, len(holder[last]))]
        else:
            holder[last] = copy.deepcopy(draw.choice(JUNK))
    return row


def outcome(form: PreferenceFormat, row: dict[str, Any]) -> str:
    """Whether the row gives pairs, all of them sound, or is refused; anything else is raised."""
    try:
        pairs = form.parse(row)
    except RowRefused as refusal:
        return "refused" if refusal.where and refusal.problem else f"{row} is refused without a field"
    for pair in pairs:
        assert all(text.strip() for text in (pair.question, pair.chosen, pair.rejected))
        assert pair.chosen != pair.rejected
        assert sum(turn.images for turn in pair.history) <= len(pair.images)
        assert not any(turn.images for turn in pair.history if turn.role != "user")
        "".join([pair.question, pair.chosen, pair.rejected, *(turn.text for turn in pair.history)]).encode()
    return "pairs"


@pytest.mark.parametrize("name", ROWS)
def test_a_spoilt_row_gives_sound_pairs_or_a_refusal(name: str) -> None:
    draw = random.Random(name)
    told = {outcome(PREFERENCE_FORMATS[name], spoilt(ROWS[name], draw)) for _ in range(400)}
    assert outcome(PREFERENCE_FORMATS[name], ROWS[name]) == "pairs"
    assert "refused" in told
    assert told <= {"pairs", "refused"}


def test_a_spoilt_row_of_a_mapping_gives_sound_pairs_or_a_refusal() -> None:
    draw, form = random.Random(5), mapped(ColumnMapping.model_validate(MAPPING))
    assert {outcome(form, spoilt(MAPPED_ROW, draw)) for _ in range(400)} == {"pairs", "refused"}


def test_every_format_is_tried() -> None:
    assert set(ROWS) == set(PREFERENCE_FORMATS)
