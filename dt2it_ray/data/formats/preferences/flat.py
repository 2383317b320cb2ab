"""The flat rows of the DT2IT scripts: one pair a row, or a list of answers with the scores of a judge."""

from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row
from dt2it_ray.data.formats.preferences.asked import Answer, Asked, Told, asked_about, preference, ranked
from dt2it_ray.data.formats.preferences.marks import hold_marks
from dt2it_ray.data.formats.preferences.values import (
    images_in,
    list_of,
    number_of,
    optional_number,
    optional_text,
    refuse,
    remark,
    value_of,
)

IMAGE_FIELDS = ("images", "image", "image_path")
REFERENCE_FIELDS = ("gt", "reference", "ground_truth")


def parse(row: Row) -> list[Preference]:
    """The pair of a row."""
    chosen, rejected = (
        Answer(
            value_of(row, name),
            name,
            origin=optional_text(row, f"{name}_origin"),
            critique=remark(row.get(f"{name}_critique"), f"{name}_critique"),
        )
        for name in ("chosen", "rejected")
    )
    return [preference(asked(row), chosen, rejected, optional_number(row, "strength"))]


def asked(row: Row) -> Asked:
    """The question of a row, whether it has answers or not."""
    reference = next((name for name in REFERENCE_FIELDS if row.get(name)), REFERENCE_FIELDS[0])
    told = Told(*(optional_text(row, field) for field in ("data_id", "category", reference, "source")))
    return asked_about(value_of(row, "question"), images_in(row, *IMAGE_FIELDS), told=told)


def parse_judged(row: Row) -> list[Preference]:
    """Every pair of a judged list whose scores differ, of all strengths."""
    answers, scores = list_of(value_of(row, "answer"), "answer"), list_of(value_of(row, "score"), "score")
    if len(answers) != len(scores):
        raise refuse("score", f"{len(scores)} scores for {len(answers)} answers")
    found = [
        Answer(text, f"answer[{place}]", number_of(score, f"score[{place}]"))
        for place, (text, score) in enumerate(zip(answers, scores, strict=True))
    ]
    return ranked(asked(row), found)


def release(preferred: Preference, images: Sequence[str]) -> dict[str, Any] | None:
    """The pair with all that is known of it; `image_path` if there is one image, `images` if there are several. None if
    there are turns before the question, or the question holds a mark of a file."""
    if preferred.history or hold_marks([preferred.question]):
        return None
    named = {"image_path": images[0]} if len(images) == 1 else {"images": list(images)} if images else {}
    told = {
        "source": preferred.source,
        "gt": preferred.reference,
        "category": preferred.category,
        "data_id": preferred.item,
        "chosen_origin": preferred.chosen_origin,
        "rejected_origin": preferred.rejected_origin,
        "chosen_critique": preferred.chosen_critique,
        "rejected_critique": preferred.rejected_critique,
    }
    return {
        **named,
        "question": preferred.question,
        "chosen": preferred.chosen,
        "rejected": preferred.rejected,
        "strength": preferred.strength,
        **{name: value for name, value in told.items() if value is not None},
    }


FLAT = PreferenceFormat("flat", parse, release)
JUDGED_LISTS = PreferenceFormat("judged_lists", parse_judged)
