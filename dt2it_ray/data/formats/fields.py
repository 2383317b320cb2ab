"""How a field of an outside row is taken out and checked, and how a row that breaks its format is refused."""

import io
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from PIL import Image

from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.images import BadImage, decode
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import InputError

MAX_PATH = 250
"""Longest path of an image in characters; file systems refuse longer names."""


class RowRefused(Exception):
    """A row cannot be used: a reason that can be counted, the field at fault, and what is wrong with it."""

    def __init__(self, reason: DropReason, where: str, problem: str) -> None:
        super().__init__(reason, where, problem)
        self.reason, self.where, self.problem = reason, where, problem


def text_of(fields: Mapping[str, Any], field: str) -> str:
    """The text of a field, unchanged. Refuses a row where it is missing, blank, no text or not valid Unicode."""
    if field not in fields:
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", "missing")
    return checked_text(fields[field], field)


def checked_text(value: Any, field: str) -> str:
    """`value` if it is a text that can be stored and is not blank."""
    if not isinstance(value, str):
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", f"{ascii(value)[:60]} is not a text")
    if not value.strip():
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", "empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can escape half of a surrogate pair, which no UTF-8 file can hold.
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", "holds an escaped half character") from None
    return value


def inner_path(value: str, field: str) -> PurePosixPath:
    """A path that stays inside the folder it is relative to."""
    path = PurePosixPath(value)
    outside = path.is_absolute() or ".." in path.parts or "\\" in value
    if outside or not value.isprintable() or len(value) > MAX_PATH:
        problem = f"{ascii(value)[:80]} is not the name of a file inside the image folder"
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", problem)
    return path


def checked_image(content: bytes | None, path: str | None, field: str) -> dict[str, Any]:
    """An IMAGE of bytes that decode."""
    if not content:
        raise RowRefused(DropReason.IMAGE_MISSING, f"field {field}", f"no image bytes (path {path!r})")
    try:
        decode(content)
    except BadImage as trouble:
        raise RowRefused(DropReason.IMAGE_UNDECODABLE, f"field {field}", f"{path or 'image'}: {trouble}") from None
    return {"bytes": content, "path": path}


class ImageFiles:
    """The image files beside a benchmark's rows. Each folder is listed once."""

    def __init__(self, folder: Files) -> None:
        self._folder = folder
        self._listed: dict[str, list[str]] = {}

    def names(self, parent: PurePosixPath) -> list[str]:
        """The files in a folder, sorted by name; empty if there is no such folder."""
        key = str(parent)
        if key not in self._listed:
            self._listed[key] = self._folder.names(key)
        return self._listed[key]

    def load(self, name: PurePosixPath, field: str) -> dict[str, Any]:
        """The image of that name, which also becomes its path."""
        if str(name) not in self.names(name.parent):
            raise RowRefused(DropReason.IMAGE_MISSING, f"field {field}", f"there is no file {name}")
        return checked_image(self._folder.read(str(name)), str(name), field)


def extension_of(content: bytes, where: str) -> str:
    """The usual file extension of an image's format.

    Raises:
        InputError: the bytes are not an image.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return {"jpeg": "jpg"}.get(name := str(image.format).lower(), name)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{where} has an image that cannot be opened: {error}") from None
