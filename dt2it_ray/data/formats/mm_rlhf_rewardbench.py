"""How MM-RLHF-RewardBench is laid out (yifanzhang114/MM-RLHF-RewardBench): JSON lines, stills, video frames."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

NAME = "mm_rlhf_rewardbench"
FILE = "mm_reward_bench.jsonl"
IMAGE_ROOT = PurePosixPath("images")

VIDEO = "video"
CATEGORIES = ("mcq", "long", "short", "safety", VIDEO)
"""First components of the image and video paths."""

MAX_FRAMES = 32
"""Frames of a video that are shown, evenly spaced from the first to the last: the official evaluation."""

NO_REASON = "No reason was written."
"""`chosen_reason` and `rejected_reason` are never empty in the release."""


def write(rows: Iterable[Mapping[str, Any]], folder: Files) -> int:
    """Write rows of BENCHMARK_ROWS in their order, the chosen answer first; the number of rows. Media are stored once.

    Raises:
        InputError: a row's category is none of CATEGORIES, or it does not have one labelled pair and one image, or
            any number of frames for a video.
    """
    stored: dict[str, str] = {}
    lines = [json.dumps(_released(row, stored, folder), ensure_ascii=False) for row in rows]
    folder.write(FILE, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def read(folder: Files, batch_rows: int = 1024) -> Iterator[ReadBatch]:
    """The rows in file order; `category` is the first component of the path, `images` the still or the video's frames.

    Raises:
        InputError: the file is missing, cut off, not UTF-8 or empty.
    """
    images = ImageFiles(folder)
    return read_batches(NAME, _records(folder), lambda fields: _parse(fields, images), batch_rows)


def _released(row: Mapping[str, Any], stored: dict[str, str], folder: Files) -> dict[str, str]:
    pair, category = labelled_pair(row), row["category"]
    if category not in CATEGORIES:
        raise InputError(f"row {row['item']} has the category {category!r}; this benchmark has {CATEGORIES}")
    images = row["images"] if category == VIDEO else [only_image(row)]
    return {
        "id": row["item"],
        VIDEO if category == VIDEO else "image": _store_medium(images, category, row["item"], stored, folder),
        "prompt": row["question"],
        "chosen": pair.chosen_text,
        "rejected": pair.rejected_text,
        "chosen_reason": NO_REASON,
        "rejected_reason": NO_REASON,
    }


def _store_medium(
    images: Sequence[Mapping[str, Any]], category: str, item: str, stored: dict[str, str], folder: Files
) -> str:
    """The path that a row gives for its still or its video; the files are written unless an earlier row has them."""
    key = content_id("medium", category, *(image["bytes"] for image in images))
    if key in stored:
        return stored[key]
    if not images:
        raise InputError(f"row {item} is a video without frames")
    extensions = [extension_of(image["bytes"], f"row {item}") for image in images]
    if category == VIDEO:
        stored[key] = f"{VIDEO}/{key}"
        # In the release the frame folders lie without `video/`, unlike the paths in the rows.
        names = [f"{key}/c01_{frame:04d}.{extension}" for frame, extension in enumerate(extensions, start=1)]
    else:
        stored[key] = f"{category}/{key}.{extensions[0]}"
        names = [stored[key]]
    for name, image in zip(names, images, strict=True):
        folder.write(str(IMAGE_ROOT / name), image["bytes"])
    return stored[key]


def _records(folder: Files) -> Iterator[Record]:
    try:
        text = read_whole(folder, FILE).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{folder.path(FILE)} is not UTF-8: {error}. Download it again.") from None
    # Not splitlines: a text may hold U+2028, which ends no line of JSON.
    lines = text.split("\n")
    written = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not written:
        raise InputError(f"{folder.path(FILE)} has no rows. Download it again.")
    for number, line in written:
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                raise InputError(
                    f"{folder.path(FILE)} is cut off in row {number}: {error}. Download it again."
                ) from None
            fields = line
        yield Record(FILE, number, fields)


def _parse(fields: Mapping[str, Any], images: ImageFiles) -> ReleasedPair:
    kind = _kind(fields)
    path = inner_path(text_of(fields, kind), kind)
    category = path.parts[0] if path.parts else ""
    if category not in CATEGORIES or (category == VIDEO) != (kind == VIDEO):
        raise RowRefused(DropReason.FIELD_INVALID, f"field {kind}", f"{str(path)!r} is in no folder of {CATEGORIES}")
    question = text_of(fields, "prompt")
    return ReleasedPair(
        item=text_of(fields, "id"),
        question=question,
        images=_images(fields, images),
        answers=(text_of(fields, "chosen"), text_of(fields, "rejected")),
        chosen=0,
        category=category,
    )


def _pair(fields: Mapping[str, Any]) -> BenchmarkPair:
    return BenchmarkPair(
        item=id_of(fields),
        answers=(answer_of(fields.get("chosen"), "chosen"), answer_of(fields.get("rejected"), "rejected")),
        chosen=0,
        category=_category(fields),
        question=optional_text(fields, "prompt"),
    )


def _kind(fields: Mapping[str, Any]) -> str:
    """Whether the row names a still (`image`) or a video; the other field is missing, null or empty."""
    kinds = [kind for kind in ("image", VIDEO) if fields.get(kind) not in (None, "")]
    if len(kinds) != 1:
        raise RowRefused(DropReason.FIELD_INVALID, "fields image, video", f"the row has {kinds or 'neither'}, not one")
    return kinds[0]


def _category(fields: Mapping[str, Any]) -> str:
    """The last folder of the path that is a category, for a folder above the benchmark may be called so too. Of a path
    without such a folder: a video's is `video`; a still's the first category found anywhere in it, which is the
    official script's rule for all paths."""
    kind = _kind(fields)
    path = text_of(fields, kind)
    folders = [part for part in PurePosixPath(path).parts if part in CATEGORIES]
    anywhere = [VIDEO] if kind == VIDEO else [category for category in CATEGORIES if category in path]
    found = folders[-1:] or anywhere
    if not found:
        raise RowRefused(DropReason.FIELD_INVALID, f"field {kind}", f"{ascii(path)[:80]} names none of {CATEGORIES}")
    return found[0]


def _images(fields: Mapping[str, Any], images: ImageFiles) -> Images:
    kind = _kind(fields)
    path = inner_path(text_of(fields, kind), kind)
    return _frames(path, images) if kind == VIDEO else [images.load(IMAGE_ROOT / path, kind)]


def _frames(path: PurePosixPath, images: ImageFiles) -> list[dict[str, Any]]:
    """The frames of a video, whether its folder lies as the hub has it or as the row says."""
    places = [IMAGE_ROOT.joinpath(*path.parts[1:]), IMAGE_ROOT / path]
    names = next((found for place in places if (found := images.names(place))), [])
    if not names or len(path.parts) < 2:
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {VIDEO}", f"{places[0]} has no frames")
    if len(names) > MAX_FRAMES:
        names = [names[place * (len(names) - 1) // (MAX_FRAMES - 1)] for place in range(MAX_FRAMES)]
    return [images.load(PurePosixPath(name), VIDEO) for name in names]


FORMAT = BenchmarkFormat(
    name=NAME,
    files=(re.escape(FILE), r"data/train-\d+-of-\d+\.parquet"),
    pair=_pair,
    item_field="id",
    images=listed_images(_images),
    columns=("id", "image", VIDEO, "prompt", "chosen", "rejected"),
    counts=(170,),
)
