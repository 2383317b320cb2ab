"""How Multimodal RewardBench 2 is laid out (facebookresearch/MMRB2): a JSON file of pairs per task, with images inside
the answers."""

from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.formats.benchmark import BenchmarkFormat, BenchmarkPair, Images, Row, id_of, listed_images
from dt2it_ray.data.formats.fields import ImageFiles, RowRefused, inner_path
from dt2it_ray.data.schema import DropReason

NAME = "multimodal_rewardbench_2"
TASKS = ("t2i", "edit", "interleaved", "reasoning")
SIDES = ("A", "B")


def _pair(fields: Row) -> BenchmarkPair:
    """The texts of the answers, without their images. The released files say `id` and `chosen`, the documentation
    `pair_id` and `human_preference`."""
    better = fields.get("chosen", fields.get("human_preference"))
    if better not in SIDES:
        raise RowRefused(DropReason.FIELD_INVALID, "field chosen", f"{ascii(better)[:60]} is not one of {SIDES}")
    file = str(fields.get("file", ""))
    return BenchmarkPair(
        item=id_of(fields, "id" if "id" in fields else "pair_id"),
        answers=(_text(_content(fields, "response_a")), _text(_content(fields, "response_b"))),
        chosen=SIDES.index(better),
        category=next((task for task in TASKS if task in file), file),
        question=_text(_parts(fields.get("prompt_content") or [], "prompt_content")),
    )


Parts = Sequence[tuple[str, str]]


def _content(fields: Row, name: str) -> Parts:
    response = fields.get(name)
    content = response.get("response_content") if isinstance(response, dict) else None
    return _parts(content, f"{name}.response_content")


def _parts(content: Any, name: str) -> Parts:
    pairs = isinstance(content, list) and all(isinstance(part, list | tuple) and len(part) == 2 for part in content)
    if not pairs or not all(isinstance(value, str) for part in content for value in part):
        raise RowRefused(DropReason.FIELD_INVALID, f"field {name}", "not a list of [kind, text or file]")
    return [(part[0], part[1]) for part in content]


def _text(parts: Parts) -> str:
    return "\n".join(value for kind, value in parts if kind == "text")


def _images(fields: Row, files: ImageFiles) -> Images:
    """The images of the prompt. An answer with images is refused: only predictions of others can be scored on it."""
    for side in ("response_a", "response_b"):
        if any(kind == "image" for kind, _ in _content(fields, side)):
            problem = "the answer holds images, which no model here reads; give --predictions"
            raise RowRefused(DropReason.FIELD_INVALID, f"field {side}", problem)
    parts = _parts(fields.get("prompt_content"), "prompt_content")
    return [files.load(inner_path(name, "prompt_content"), "prompt_content") for kind, name in parts if kind == "image"]


FORMAT = BenchmarkFormat(
    name=NAME,
    files=(rf"(?:.*/)?(?:{'|'.join(TASKS)})\.json", rf"(?:.*/)?(?:{'|'.join(TASKS)})_response_only\.json"),
    pair=_pair,
    item_field="id",
    images=listed_images(_images),
    rows_in="pairs",
    counts=(1000, 4000),
)
