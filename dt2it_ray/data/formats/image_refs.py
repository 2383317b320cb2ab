"""How images that rows only name are opened: by path inside one folder, checked before anybody computes on them."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from dt2it_ray.data.formats.fields import RowRefused, checked_image, inner_path
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StoreError

FIELD = "images"


def open_image(image: Mapping[str, Any], root: Files) -> dict[str, Any]:
    """The IMAGE with its bytes, which decode; `path` stays as it is in the row.

    Raises:
        RowRefused: it has neither bytes nor a file under `root`, or does not decode.
    """
    if image["bytes"]:
        return checked_image(image["bytes"], image["path"], FIELD)
    path = image["path"] or ""
    name = _inside(path, root)
    try:
        content = root.read(str(name))
    except StoreError as error:
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {FIELD}", f"{path}: {error}") from None
    return checked_image(content, path, FIELD)


def _inside(path: str, root: Files) -> PurePosixPath:
    """The path relative to the folder of images; an absolute one must lie in it."""
    folder = root.path("").rstrip("/")
    if path.startswith(f"{folder}/"):
        path = path.removeprefix(f"{folder}/")
    if PurePosixPath(path).is_absolute():
        problem = f"{ascii(path)[:80]} is outside {folder}; name the folder of the images with --image-root"
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {FIELD}", problem)
    return inner_path(path, FIELD)
