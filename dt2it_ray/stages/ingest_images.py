"""How the images of ingested rows are opened and checked, and what they are told apart by."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import FIELD, image_root
from dt2it_ray.data.formats.videos import open_media
from dt2it_ray.data.images import decode
from dt2it_ray.data.ingested import KEYED
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.perceptual_hash import perceptual_hash
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingest_rows import image_key, row_ids
from dt2it_ray.stages.ingest_settings import FrameSettings, ImageLimits
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
    limits: ImageLimits = ImageLimits()
    frames: FrameSettings = FrameSettings()


class _Opened(NamedTuple):
    """An IMAGE with its bytes, the name of its content, and its perceptual hash."""

    image: dict[str, Any]
    key: str
    look: int | None


def build_opening(settings: OpenSettings, place: Workplace) -> BatchFn:
    """A function from rows whose images are named to rows whose images are checked and known by their content."""
    root = image_root(settings.root, Folder)

    @functools.lru_cache(maxsize=OPENED_KEPT)
    def named(path: str) -> list[_Opened]:
        return _open({"bytes": None, "path": path}, root, settings)

    def open_row(row: Mapping[str, Any]) -> list[_Opened]:
        opened = (
            _open(image, root, settings) if image["bytes"] else named(image["path"] or "") for image in row["images"]
        )
        return [each for images in opened for each in images]

    def open_batch(batch: pa.Table) -> Outcome:
        if not pc.any(pc.greater(pc.list_value_length(batch["images"]), 0)).as_py():
            return Outcome(batch)
        rows, refused = [], []
        for row in batch.to_pylist():
            try:
                rows.append(row | _known(row, open_row(row), settings.embed))
            except RowRefused as refusal:
                trouble = Dropped(refusal.reason, f"{refusal.where}: {refusal.problem}", _evidence(row))
                refused.append(trouble.row(row["row_id"]))
        return Outcome(pa.Table.from_pylist(rows, schema=KEYED), dropped_table(refused))

    return open_batch


def _open(image: Mapping[str, Any], root: Files, settings: OpenSettings) -> list[_Opened]:
    """An image, or the frames of a video, with bytes, keys and looks."""
    limits, found = settings.limits, []
    for opened in open_media(image, root, settings.frames.sampling(), limits.max_bytes):
        name = opened["path"] or "an image"
        if len(opened["bytes"]) > limits.max_bytes:
            raise _too_large(name, f"{len(opened['bytes'])} bytes", f"max_bytes={limits.max_bytes}")
        picture = decode(opened["bytes"])
        if picture.width * picture.height > limits.max_pixels:
            raise _too_large(name, f"{picture.width}x{picture.height} pixels", f"max_pixels={limits.max_pixels}")
        found.append(_Opened(opened, image_key(opened), perceptual_hash(picture)))
    return found


def _too_large(name: str, size: str, limit: str) -> RowRefused:
    return RowRefused(
        DropReason.IMAGE_TOO_LARGE, f"field {FIELD}", f"{name} has {size}, more than image_limits.{limit}"
    )


def _known(row: Mapping[str, Any], found: Sequence[_Opened], embed: bool) -> dict[str, Any]:
    """What opening its images changes of a row."""
    images, answers = [each.image for each in found], (row["chosen"], row["rejected"])
    prompt, pair = row_ids(images, row["question"], row["history"], row["source"], answers)
    kept = images if embed else [image | {"bytes": None} if image["path"] else image for image in images]
    keys, looks = [each.key for each in found], [each.look for each in found]
    return {"prompt_id": prompt, "pair_id": pair, "images": kept, "image_keys": keys, "looks": looks}


def _evidence(row: Mapping[str, Any]) -> str:
    told = {name: row[name] for name in ("question", "chosen", "rejected")}
    return json.dumps(told | {"images": [image["path"] for image in row["images"]]}, ensure_ascii=False)


OPEN_INGESTED = MapStage(name="open_ingested", version=2, reads=KEYED, writes=KEYED, build=build_opening)
