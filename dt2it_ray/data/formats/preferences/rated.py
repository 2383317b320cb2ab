"""Rows of one prompt and several rated or ranked answers: VLFeedback, UltraFeedback, and the input of MR2-RM."""

from collections.abc import Mapping
from typing import Any

from dt2it_ray.data.formats.fields import checked_text
from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row
from dt2it_ray.data.formats.preferences.asked import Answer, Asked, Told, asked_about, ranked
from dt2it_ray.data.formats.preferences.values import (
    images_in,
    is_held,
    list_of,
    mapping_of,
    number_of,
    optional_text,
    refuse,
    structs_of,
    value_of,
)


def parse_vlfeedback(row: Row) -> list[Preference]:
    """Every pair of completions whose mean ratings differ; one that nobody rated makes no pair."""
    images = images_in(row, "image", "img_path")
    if not images:
        raise refuse("img_path", "missing")
    asked = asked_about(value_of(row, "prompt"), images, "prompt", Told(optional_text(row, "id")))
    return ranked(asked, _completions(row))


def parse_ultrafeedback(row: Row) -> list[Preference]:
    """Every pair of completions whose mean ratings differ; one that nobody rated makes no pair."""
    asked = Asked(
        checked_text(value_of(row, "instruction"), "instruction"), told=Told(source=optional_text(row, "source"))
    )
    return ranked(asked, _completions(row))


def _completions(row: Row) -> list[Answer]:
    """The rated completions. Their score is the mean of their ratings, which are texts, some of them `N/A`."""
    answers = []
    for place, completion in enumerate(structs_of(value_of(row, "completions"), "completions")):
        field = f"completions[{place}]"
        ratings = _ratings(mapping_of(value_of(completion, "annotations"), f"{field}.annotations"), field)
        if ratings:
            text, model = value_of(completion, "response"), optional_text(completion, "model")
            answers.append(Answer(text, f"{field}.response", sum(ratings) / len(ratings), model))
    return answers


def _ratings(annotations: Mapping[str, Any], field: str) -> list[float]:
    found = []
    for aspect, annotation in annotations.items():
        spot = f"{field}.annotations.{aspect}"
        rating = None if annotation is None else mapping_of(annotation, spot).get("Rating")
        if rating not in (None, "", "N/A"):
            found.append(number_of(rating, f"{spot}.Rating"))
    return found


def parse_mr2_rm(row: Row) -> list[Preference]:
    """Every pair of responses with different ranks; 1 is the best rank, and several responses may share one."""
    responses, ranks = (list_of(value_of(row, name), name) for name in ("responses", "rankings"))
    if len(responses) != len(ranks):
        raise refuse("rankings", f"{len(ranks)} ranks for {len(responses)} responses")
    if is_held(row.get("image")) and is_held(row.get("video")):
        raise refuse("image, video", "the row has both; a reward model here can be shown one of them")
    asked = asked_about(value_of(row, "prompt"), images_in(row, "image", "video"), "prompt")
    answers = [
        Answer(text, f"responses[{place}]", -number_of(rank, f"rankings[{place}]"))
        for place, (text, rank) in enumerate(zip(responses, ranks, strict=True))
    ]
    return ranked(asked, answers)


VLFEEDBACK = PreferenceFormat("vlfeedback", parse_vlfeedback)
ULTRAFEEDBACK = PreferenceFormat("ultrafeedback", parse_ultrafeedback)
MR2_RM = PreferenceFormat("mr2_rm", parse_mr2_rm)
