"""How images that rows only name are opened: by path inside one folder or archive, or from a data: URI, and checked
before anybody computes on them."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from dt2it_ray.data.formats.containers.archive import ArchiveRoot, WithArchives, is_archive
from dt2it_ray.data.formats.containers.block import BROKEN
from dt2it_ray.data.formats.fields import RowRefused, checked_image, inner_path
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StoreError

FIELD = "images"
MAX_FILE_BYTES = 64 << 20
"""Largest file of an image that is read: a photograph of 50 million pixels, the most that are decoded, has 30 MB."""
BYTES_AT_ONCE = 1 << 20
DATA_URI = re.compile(r"data:(?P<type>[\w.+/-]*)(?:;[\w-]+=[\w-]+)*;base64,", re.IGNORECASE)


def image_root(address: str, open_folder: Callable[[str], Files]) -> Files:
    """The folder, or the archive, that paths of images are relative to; in a folder names may go on in an archive."""
    parent, _, name = address.rstrip("/").rpartition("/")
    if is_archive(name) and not open_folder(address).names():
        return ArchiveRoot(WithArchives(open_folder(parent or ("/" if address.startswith("/") else "."))), name)
    return WithArchives(open_folder(address))


def open_image(image: Mapping[str, Any], root: Files, max_bytes: int = MAX_FILE_BYTES) -> dict[str, Any]:
    """The IMAGE with its bytes, which decode; `path` stays as it is in the row, and is null if it was a data: URI.

    Raises:
        RowRefused: it has neither bytes nor a file under `root`, has more than `max_bytes`, or does not decode.
    """
    path = image["path"] or ""
    if image["bytes"]:
        if len(image["bytes"]) > max_bytes:
            raise _too_large(path or "an image", max_bytes)
        return checked_image(image["bytes"], image["path"], FIELD)
    if path[:5].lower() == "data:":
        return checked_image(_of_data_uri(path, max_bytes), None, FIELD)
    return checked_image(read_file(path, root, max_bytes), path, FIELD)


def read_file(path: str, root: Files, max_bytes: int) -> bytes:
    """The content of a file under `root`. Raises RowRefused."""
    name = str(inner_name(path, root))
    pieces, size = [], 0
    try:
        with root.stream(name) as stream:
            while (piece := stream.read(BYTES_AT_ONCE)) and size <= max_bytes:
                pieces.append(piece)
                size += len(piece)
    except (StoreError, *BROKEN) as error:
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {FIELD}", f"{path}: {error}") from None
    if size > max_bytes:
        raise _too_large(path, max_bytes)
    return b"".join(pieces)


def inner_name(path: str, root: Files) -> PurePosixPath:
    """The path relative to the folder of images; an absolute one must lie in it. Raises RowRefused."""
    folder = root.path("").rstrip("/")
    if path.startswith(f"{folder}/"):
        path = path.removeprefix(f"{folder}/")
    if "://" in path:
        problem = f"{ascii(path)[:80]} is an address; download the images, and name them by their paths"
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {FIELD}", problem)
    if PurePosixPath(path).is_absolute():
        problem = f"{ascii(path)[:80]} is outside {folder}; name the folder of the images with --image-root"
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {FIELD}", problem)
    return inner_path(path, FIELD)


def _of_data_uri(uri: str, max_bytes: int) -> bytes:
    found = DATA_URI.match(uri)
    if found is None:
        problem = f"{uri[:60]!a} is no data: URI of base64"
        raise RowRefused(DropReason.IMAGE_UNDECODABLE, f"field {FIELD}", problem)
    # Four letters hold three bytes, of which the last two may lack.
    if (len(uri) - found.end()) // 4 * 3 > max_bytes + 2:
        raise _too_large("a data: URI", max_bytes)
    try:
        content = base64.b64decode(uri[found.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        problem = f"{uri[:60]!a} holds no base64: {error}"
        raise RowRefused(DropReason.IMAGE_UNDECODABLE, f"field {FIELD}", problem) from None
    if len(content) > max_bytes:
        raise _too_large("a data: URI", max_bytes)
    return content


def _too_large(path: str, max_bytes: int) -> RowRefused:
    return RowRefused(DropReason.IMAGE_TOO_LARGE, f"field {FIELD}", f"{path} has more than {max_bytes} bytes")
