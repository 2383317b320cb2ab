"""How samples come out of a WebDataset tar: members that stand together and share their name up to its first dot."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from dt2it_ray.data.formats.containers.block import BLOCK_BYTES, BROKEN, told
from dt2it_ray.data.formats.containers.lines import Numbered, parsed
from dt2it_ray.data.formats.containers.tar_headers import holds_content, opened_tar
from dt2it_ray.errors import InputError

IMAGE_ENDINGS = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")
TEXT_ENDINGS = ("txt", "text", "cls", "caption")
MAX_MEMBER_BYTES = 512 << 20
"""Largest member that is read: a short video. A packed tar of some kilobytes may hold one of any size."""
Member = tuple[str, bytes]
Sample = tuple[str, tuple[Member, ...]]


def cut_samples(stream: Any, where: str) -> Iterator[tuple[int, tuple[Sample, ...]]]:
    """Samples in file order: their key and their members, by ending.

    Raises:
        InputError: the archive is cut off or none.
    """
    first, block, size = 1, [], 0
    try:
        for sample in _samples(stream):
            block.append(sample)
            size += sum(len(content) for _, content in sample[1])
            if size >= BLOCK_BYTES:
                yield first, tuple(block)
                first, block, size = first + len(block), [], 0
    except BROKEN as error:
        done = first + len(block) - 1
        raise InputError(f"{where} is cut off or no tar archive behind sample {done}: {told(error)}") from None
    if block:
        yield first, tuple(block)


def parse_samples(samples: tuple[Sample, ...], first: int) -> Iterator[Numbered]:
    """The fields of every sample: those of its `.json`, each other member by its ending, `__key__`, and as `images`, if
    the `.json` has no such field, its images in their order."""
    yield from enumerate(itertools.starmap(_fields, samples), first)


def _fields(key: str, members: tuple[Member, ...]) -> Any:
    fields: dict[str, Any] = {"__key__": key}
    images = []
    for ending, content in members:
        if ending == "json":
            value = parsed(content)
            if not isinstance(value, Mapping):
                return f"{key}.json holds no JSON object: {str(value)[:200]}"
            fields.update(value)
            continue
        kind = ending.rpartition(".")[2]
        if kind in IMAGE_ENDINGS:
            image = {"bytes": content, "path": f"{key}.{ending}"}
            images.append(image)
            fields.setdefault(ending, image)
        else:
            fields.setdefault(ending, _text(content) if kind in TEXT_ENDINGS else content)
    if images and not any(name in fields for name in ("image", "images")):
        fields["images"] = images
    return fields


def _text(content: bytes) -> str:
    return content.decode(errors="backslashreplace")


def _samples(stream: Any) -> Iterator[Sample]:
    for key, members in itertools.groupby(_members(stream), key=lambda member: member[0]):
        yield key, tuple((ending, content) for _, ending, content in members)


def _members(stream: Any) -> Iterator[tuple[str, str, bytes]]:
    with opened_tar(stream, "r|*") as archive:
        for member in archive:
            if not holds_content(member):
                continue
            if member.size > MAX_MEMBER_BYTES:
                raise EOFError(f"{member.name} has {member.size} bytes, more than {MAX_MEMBER_BYTES}")
            key, ending = split_name(member.name)
            opened = archive.extractfile(member)
            content = opened.read() if opened else b""
            if len(content) < member.size:
                raise EOFError(f"{member.name} breaks off")
            yield key, ending, content


def split_name(name: str) -> tuple[str, str]:
    """A member's key, with its folder, and its ending in lower case, which may hold dots: `a/b.seg.png` is `seg.png`
    of `a/b`."""
    path = PurePosixPath(name)
    stem, _, ending = path.name.partition(".")
    return str(path.with_name(stem)) if stem else name, ending.lower()
