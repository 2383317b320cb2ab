"""How Multimodal RewardBench is laid out (facebookresearch/multimodal_rewardbench): one JSON list and an image tree."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from dt2it_ray.data.formats.benchmark import (
    BenchmarkFormat,
    BenchmarkPair,
    Images,
    answer_of,
    id_of,
    listed_images,
    optional_text,
)
from dt2it_ray.data.formats.fields import ImageFiles, RowRefused, extension_of, inner_path, text_of
from dt2it_ray.data.formats.files import Files, read_whole
from dt2it_ray.data.formats.pair_to_write import labelled_pair, only_image
from dt2it_ray.data.formats.read_batch import ReadBatch, Record, ReleasedPair, read_batches
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import InputError

NAME = "multimodal_rewardbench"
FILE = "data/all_data.json"
UNFILLED = "data/all_data_release.json"
"""What the repository ships: rows without prompts and images, which the benchmark's own script fills in."""
IMAGE_ROOT = PurePosixPath("data")
SCRIPT = "scripts/0_download_data.py of facebookresearch/multimodal_rewardbench"

OUTPUTS = ("Output1", "Output2")


def write(rows: Iterable[Mapping[str, Any]], folder: Files) -> int:
    """Write rows of BENCHMARK_ROWS in their order and answers in theirs; the number of rows. Equal images are one file.

    Raises:
        InputError: a row does not have one labelled pair and one image that can be opened.
    """
    stored: dict[str, str] = {}
    released = [_released(row, position, stored, folder) for position, row in enumerate(rows)]
    folder.write(FILE, json.dumps(released, indent=2).encode())
    return len(released)


def read(folder: Files, batch_rows: int = 1024) -> Iterator[ReadBatch]:
    """The rows in file order; `category` is the released one, with safety and reasoning not yet split.

    Raises:
        InputError: the file is missing, not yet filled in by the benchmark's script, damaged or empty, or there is no
            image folder.
    """
    images = ImageFiles(folder)
    return read_batches(NAME, _records(folder), lambda fields: _parse(fields, images), batch_rows)


def _released(row: Mapping[str, Any], position: int, stored: dict[str, str], folder: Files) -> dict[str, str]:
    pair, content = labelled_pair(row), only_image(row)["bytes"]
    return {
        "ID": row["item"],
        "Text": row["question"],
        "Image": _store_image(content, str(row["item"]), position, stored, folder),
        "Output1": pair.answers[0],
        "Output2": pair.answers[1],
        "Better": OUTPUTS[pair.chosen],
        "Category": row["category"],
    }


def _store_image(content: bytes, item: str, position: int, stored: dict[str, str], folder: Files) -> str:
    """The `Image` field for the bytes, which are written unless an earlier row of the same source has them."""
    # Released ids are a source and a number, nocaps_13062, and images lie in a folder of the source's name.
    source = re.sub(r"[^A-Za-z0-9-]", "_", re.sub(r"_\d+$", "", item)) or "_"
    key = content_id(source, content)
    if key not in stored:
        stored[key] = f"images/{source}/{position}.{extension_of(content, f'row {item}')}"
        folder.write(str(IMAGE_ROOT / stored[key]), content)
    return stored[key]


def _records(folder: Files) -> Iterator[Record]:
    there = folder.names("data")
    if FILE not in there and UNFILLED in there:
        raise InputError(f"{folder.path(UNFILLED)} has no prompts yet and there is no {FILE}. Run {SCRIPT}.")
    try:
        rows = json.loads(read_whole(folder, FILE).decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder.path(FILE)} is cut off or not JSON: {error}. Run {SCRIPT} again.") from None
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{folder.path(FILE)} must hold a list of rows and holds none. Run {SCRIPT} again.")
    if not folder.names("data/images", recursive=True):
        raise InputError(f"{folder.path('data/images')} has no files: images are not shipped. Run {SCRIPT}.")
    for number, fields in enumerate(rows, start=1):
        yield Record(FILE, number, fields)


def _parse(fields: Mapping[str, Any], images: ImageFiles) -> ReleasedPair:
    return ReleasedPair(
        item=text_of(fields, "ID"),
        question=text_of(fields, "Text"),
        images=_images(fields, images),
        answers=(text_of(fields, "Output1"), text_of(fields, "Output2")),
        chosen=_chosen(fields),
        category=text_of(fields, "Category"),
    )


def _pair(fields: Mapping[str, Any]) -> BenchmarkPair:
    return BenchmarkPair(
        item=id_of(fields, "ID"),
        answers=(answer_of(fields.get("Output1"), "Output1"), answer_of(fields.get("Output2"), "Output2")),
        chosen=_chosen(fields),
        category=_category(fields),
        question=optional_text(fields, "Text"),
    )


def _chosen(fields: Mapping[str, Any]) -> int:
    better = text_of(fields, "Better")
    if better not in OUTPUTS:
        raise RowRefused(DropReason.FIELD_INVALID, "field Better", f"{ascii(better)[:60]} is not one of {OUTPUTS}")
    return OUTPUTS.index(better)


def _category(fields: Mapping[str, Any]) -> str:
    """The released category, which the official outputs keep inside `Meta`."""
    meta = fields.get("Meta")
    if "Category" not in fields and isinstance(meta, dict) and "Category" in meta:
        return text_of(meta, "Category")
    return text_of(fields, "Category")


def _images(fields: Mapping[str, Any], images: ImageFiles) -> Images:
    return [images.load(IMAGE_ROOT / inner_path(text_of(fields, "Image"), "Image"), "Image")]


FORMAT = BenchmarkFormat(
    name=NAME,
    files=(re.escape(FILE), re.escape(UNFILLED), r"all_data\.json", r"all_data_release\.json"),
    pair=_pair,
    item_field="ID",
    images=listed_images(_images),
    columns=("ID", "Text", "Output1", "Output2", "Better", "Category", "Meta"),
    counts=(4711, 5000, 5211),
)
