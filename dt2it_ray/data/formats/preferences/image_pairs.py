"""Released rows of one question, a better and a worse answer: RLAIF-V, RLHF-V, SPA-VL, MMPR, MM-RLHF, UnifiedReward."""

import json
from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row
from dt2it_ray.data.formats.preferences.asked import Answer, Asked, Told, asked_about, preference
from dt2it_ray.data.formats.preferences.marks import hold_marks
from dt2it_ray.data.formats.preferences.values import (
    Image,
    image_of,
    images_in,
    is_held,
    json_of,
    mapping_of,
    optional_text,
    refuse,
    remark,
    value_of,
)

ORIGIN_SPLIT = ("model", "type")
"""What RLAIF-V's `origin_split` says as JSON in a text: who wrote the answers, and the kind of question."""


def parse_rlaif_v(row: Row) -> list[Preference]:
    """The pair of a row. The image counts before the name of its file."""
    split = json_of(row.get("origin_split") or "{}", "origin_split")
    model, kind = (optional_text(split, key) if isinstance(split, dict) else None for key in ORIGIN_SPLIT)
    told = Told(optional_text(row, "idx"), kind, source=optional_text(row, "origin_dataset"))
    return [_pair(row, _asked(row, "question", told), model)]


def parse_rlhf_v(row: Row) -> list[Preference]:
    """The pair of a row, whose question and answers are JSON in the text `text`."""
    inner = mapping_of(json_of(value_of(row, "text"), "text"), "text")
    fields = {**row, **{name: value_of(inner, name) for name in ("question", "chosen", "rejected")}}
    told = Told(optional_text(row, "idx"), source=optional_text(row, "origin_dataset"))
    return [_pair(fields, _asked(fields, "question", told))]


def parse_spa_vl(row: Row) -> list[Preference]:
    """The pair of a row; the validation rows say the kind of harm in up to three classes, the finest last."""
    classes = [optional_text(row, name) for name in ("class1", "class2", "class3")]
    category = "/".join(name for name in classes if name) or None
    return [_pair(row, _asked(row, "question", Told(optional_text(row, "image_name"), category)))]


def parse_mmpr(row: Row) -> list[Preference]:
    """The pair of a row; the question may show the image as a mark."""
    return [_pair(row, _asked(row, "question", Told(optional_text(row, "id"))))]


def parse_mm_rlhf(row: Row) -> list[Preference]:
    """The pair of a row about an image or a video, with people's reasons as critiques; none for a tie."""
    if row.get("is_tie"):
        return []
    asked = _asked(row, "prompt", Told(optional_text(row, "id")), _one_medium(row))
    chosen, rejected = (
        Answer(value_of(row, name), name, critique=remark(row.get(f"{name}_reason"), f"{name}_reason"))
        for name in ("chosen", "rejected")
    )
    return [preference(asked, chosen, rejected)]


def parse_unified_reward(row: Row) -> list[Preference]:
    """The pair of a row of UnifiedReward's DPO data."""
    return [_pair(row, _asked(row, "prompt", Told(optional_text(row, "id"))))]


def _one_medium(row: Row) -> list[Image]:
    """The image, or the video as what its file or folder of frames is called: the row has one of them."""
    kinds = [kind for kind in ("image", "video") if is_held(row.get(kind))]
    if len(kinds) != 1:
        raise refuse("image, video", f"the row has {' and '.join(kinds) or 'neither'}, not one")
    return [image_of(row[kinds[0]], kinds[0])]


def _asked(row: Row, question: str, told: Told, images: Sequence[Image] | None = None) -> Asked:
    found = images_in(row, "image", "image_path") if images is None else images
    if not found:
        raise refuse("image", "missing")
    return asked_about(value_of(row, question), found, question, told)


def _pair(row: Row, asked: Asked, origin: str | None = None) -> Preference:
    chosen, rejected = (Answer(value_of(row, name), name, origin=origin) for name in ("chosen", "rejected"))
    return preference(asked, chosen, rejected)


def release_rlaif_v(preferred: Preference, images: Sequence[str]) -> dict[str, Any] | None:
    """A row of one question about one image, None for any other prompt or one with a mark of a file in its question.

    `origin_split` names the model where it wrote both answers.
    """
    if preferred.history or len(images) != 1 or hold_marks([preferred.question]):
        return None
    model = preferred.chosen_origin if preferred.chosen_origin == preferred.rejected_origin else None
    split = {"model": model, "type": preferred.category}
    known = {name: value for name, value in split.items() if value is not None}
    return {
        "ds_name": "dt2it",
        "image": images[0],
        "question": preferred.question,
        "chosen": preferred.chosen,
        "rejected": preferred.rejected,
        "origin_dataset": preferred.source or "",
        "origin_split": json.dumps(known, ensure_ascii=False),
        "idx": preferred.item or "",
        "image_path": images[0],
    }


RLAIF_V = PreferenceFormat("rlaif_v", parse_rlaif_v, release_rlaif_v)
RLHF_V = PreferenceFormat("rlhf_v", parse_rlhf_v)
SPA_VL = PreferenceFormat("spa_vl", parse_spa_vl)
MMPR = PreferenceFormat("mmpr", parse_mmpr)
MM_RLHF = PreferenceFormat("mm_rlhf", parse_mm_rlhf)
UNIFIED_REWARD = PreferenceFormat("unified_reward", parse_unified_reward)
