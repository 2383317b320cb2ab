"""How MJ-Bench is laid out (MJ-Bench/MJ-Bench): two images of one caption, with two opposite kinds of label."""

from typing import Any

from dt2it_ray.data.formats.benchmark import (
    BenchmarkFormat,
    BenchmarkPair,
    Images,
    OpenImages,
    Row,
    id_of,
    optional_text,
)
from dt2it_ray.data.formats.fields import RowRefused, text_of
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.own_pairs import opened_image
from dt2it_ray.data.schema import DropReason
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER, comparison_question

NAME = "mj_bench"
PLACES = (("image0", "image_0"), ("image1", "image_1"))


def _pair(fields: Row) -> BenchmarkPair:
    """The answers are the sentences that prefer the first and the second image."""
    return BenchmarkPair(
        item=id_of(fields) if fields.get("id") is not None else "",
        answers=(FIRST_BETTER, SECOND_BETTER),
        chosen=_better(fields),
        category=optional_text(fields, "perspective", "category"),
        question=comparison_question(text_of(fields, "caption")),
        by_place=True,
    )


def _better(fields: Row) -> int | None:
    """The place of the better image, None for a tie: `label` names it, while `label_0` is the share of votes for the
    first one."""
    label, share = _number(fields, "label"), _number(fields, "label_0")
    if (label is None) == (share is None):
        raise RowRefused(DropReason.FIELD_INVALID, "fields label, label_0", "the row has both or neither, not one")
    if label is not None and label not in (0, 1):
        raise RowRefused(DropReason.FIELD_INVALID, "field label", f"{label:g} is neither 0 nor 1")
    if label is not None:
        return int(label)
    # As the official script has it: whatever is neither 1 nor 0.5 is for the second image.
    return {1.0: 0, 0.5: None}.get(share or 0.0, 1)


def _number(fields: Row, name: str) -> float | None:
    value: Any = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RowRefused(DropReason.FIELD_INVALID, f"field {name}", f"{ascii(value)[:60]} is not a number from 0 to 1")
    return float(value)


def _images(files: Files) -> OpenImages:
    def opened(fields: Row) -> Images:
        names = [next((name for name in place if fields.get(name) is not None), place[0]) for place in PLACES]
        return [opened_image(fields.get(name), files) for name in names]

    return opened


FORMAT = BenchmarkFormat(
    name=NAME,
    files=(r"[^/]*\.jsonl", r"(?:data/)?[^/]*\.parquet", r"[^/]*\.json"),
    pair=_pair,
    item_field="id",
    images=_images,
    columns=("id", "caption", "label", "label_0", "perspective", "category"),
)
