"""How the images of ingested rows are opened and checked, and what they are told apart by."""

import functools
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import FIELD, image_root, open_image
from dt2it_ray.data.images import decode
from dt2it_ray.data.ingested import KEYED
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.perceptual_hash import perceptual_hash
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingest_rows import image_key, row_ids
from dt2it_ray.stages.ingest_settings import ImageLimits
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace
from dt2it_ray.store.files import Folder

OPENED_KEPT = 16
"""Images that a worker keeps open: the pairs of one prompt stand beside each other and show the same ones."""


class OpenSettings(Settings):
    """Where images are, and which are wanted."""

    root: str
    """Folder or archive that paths are relative to. It counts: another has other images under the same names."""
    embed: bool
    """Store images with the rows. Else rows keep the paths of those that have one."""
    limits: ImageLimits = Field(default=ImageLimits())


def build_opening(settings: OpenSettings, place: Workplace) -> BatchFn:
    """A function from rows whose images are named to rows whose images are checked and known by their content."""
    root = image_root(settings.root, Folder)

    @functools.lru_cache(maxsize=OPENED_KEPT)
    def opened(path: str) -> tuple[bytes, str, int | None]:
        return _open({"bytes": None, "path": path}, root, settings.limits)

    def open_batch(batch: pa.Table) -> Outcome:
        if not pc.any(pc.greater(pc.list_value_length(batch["images"]), 0)).as_py():
            return Outcome(batch)
        rows, refused = [], []
        for row in batch.to_pylist():
            try:
                found = [
                    _open(image, root, settings.limits) if image["bytes"] else opened(image["path"] or "")
                    for image in row["images"]
                ]
            except RowRefused as refusal:
                trouble = Dropped(refusal.reason, f"{refusal.where}: {refusal.problem}", row["question"])
                refused.append(trouble.row(row["row_id"]))
            else:
                rows.append(row | _known(row, found, settings.embed))
        return Outcome(pa.Table.from_pylist(rows, schema=KEYED), dropped_table(refused))

    return open_batch


def _open(image: Mapping[str, Any], root: Files, limits: ImageLimits) -> tuple[bytes, str, int | None]:
    """The bytes of an image, its key and its look."""
    content = open_image(image, root)["bytes"]
    name = image["path"] or "image"
    if len(content) > limits.max_bytes:
        raise _too_large(f"{name} has {len(content)} bytes, more than image_limits.max_bytes={limits.max_bytes}")
    picture = decode(content)
    if picture.width * picture.height > limits.max_pixels:
        size = f"{picture.width}x{picture.height}"
        raise _too_large(f"{name} has {size} pixels, more than image_limits.max_pixels={limits.max_pixels}")
    return content, image_key({"bytes": content}), perceptual_hash(picture)


def _too_large(problem: str) -> RowRefused:
    return RowRefused(DropReason.IMAGE_TOO_LARGE, f"field {FIELD}", problem)


def _known(row: Mapping[str, Any], found: list[tuple[bytes, str, int | None]], embed: bool) -> dict[str, Any]:
    """What opening its images changes of a row."""
    paths = [image["path"] for image in row["images"]]
    opened = [{"bytes": content, "path": path} for (content, _, _), path in zip(found, paths, strict=True)]
    answers = (row["chosen"], row["rejected"])
    prompt, pair = row_ids(opened, row["question"], row["history"], row["source"], answers)
    kept = opened if embed else [{**image, "bytes": None} if image["path"] else image for image in opened]
    keys, looks = [key for _, key, _ in found], [look for _, _, look in found]
    return {"prompt_id": prompt, "pair_id": pair, "images": kept, "image_keys": keys, "looks": looks}


OPEN_INGESTED = MapStage(name="open_ingested", version=1, reads=KEYED, writes=KEYED, build=build_opening)
