"""How a benchmark of one's own is laid out: a row per pair with its prompt, the better and the worse answer."""

from typing import Any

from dt2it_ray.data.formats.benchmark import (
    BenchmarkFormat,
    BenchmarkPair,
    Images,
    OpenImages,
    Row,
    answer_of,
    id_of,
    optional_text,
)
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import open_image
from dt2it_ray.data.schema import DropReason

NAME = "pairs"
PROMPTS = ("question", "prompt", "query")


def _pair(fields: Row) -> BenchmarkPair:
    return BenchmarkPair(
        item=id_of(fields) if fields.get("id") is not None else "",
        answers=(answer_of(fields.get("chosen"), "chosen"), answer_of(fields.get("rejected"), "rejected")),
        chosen=0,
        category=_category(fields),
        question=optional_text(fields, *PROMPTS),
        strength=_strength(fields.get("strength")),
    )


def _category(fields: Row) -> str:
    value = next((fields[name] for name in ("category", "subset") if fields.get(name) is not None), "")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowRefused(DropReason.FIELD_INVALID, "field category", f"{ascii(value)[:60]} is no name of a category")
    return str(value)


def _strength(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise RowRefused(DropReason.FIELD_INVALID, "field strength", f"{ascii(value)[:60]} is not a finite number")
    return float(value)


def _images(files: Files) -> OpenImages:
    """The images of `images` or `image`: bytes as in Parquet, or names of files beside the rows."""

    def opened(fields: Row) -> Images:
        value = fields.get("images", fields.get("image"))
        listed = value if isinstance(value, list) else [] if value is None else [value]
        return [opened_image(image, files) for image in listed]

    return opened


def opened_image(image: Any, files: Files) -> dict[str, Any]:
    """An image with its bytes, from bytes, a struct of them, or the name of a file. Raises RowRefused."""
    stored = image if isinstance(image, dict) else {}
    content = image if isinstance(image, bytes) else stored.get("bytes")
    path = image if isinstance(image, str) else stored.get("path")
    return open_image({"bytes": content, "path": path}, files)


FORMAT = BenchmarkFormat(
    name=NAME,
    files=(r"[^/]*\.jsonl", r"(?:data/)?[^/]*\.parquet", r"[^/]*\.json"),
    pair=_pair,
    item_field="id",
    images=_images,
    columns=("id", *PROMPTS, "chosen", "rejected", "category", "subset", "strength"),
)
