"""How members of zip and tar archives are read as if they lay in a folder: an archive is opened and listed once."""

import io
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO, Any, Protocol

from dt2it_ray.data.formats.containers.block import BROKEN
from dt2it_ray.data.formats.containers.compressed import CODECS, Pieces
from dt2it_ray.data.formats.containers.samples import split_name
from dt2it_ray.data.formats.containers.tar_headers import holds_content, opened_tar
from dt2it_ray.data.formats.files import Files
from dt2it_ray.errors import InputError, StoreError

MEMBER = "!"
"""Stands between an archive and its member: `images.zip!a/b.png`."""
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst")
ROW_ENDINGS = (".jsonl", ".ndjson", ".parquet", ".csv", ".tsv", ".arrow", ".gz", ".zst")
SLICE_BYTES = 1 << 17
FIRST_MEMBERS = 24
"""Members that tell an archive of samples from one of files of rows."""


def is_archive(name: str) -> bool:
    """Whether a file is an archive, by its name."""
    return name.lower().endswith(ENDINGS)


class WithArchives:
    """A folder in which names may go on inside an archive. Threads may share it; a copy opens archives anew."""

    def __init__(self, folder: Files) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._archives: dict[str, _Archive] = {}

    def __reduce__(self) -> tuple[type, tuple[Files]]:
        return (WithArchives, (self._folder,))

    def path(self, name: str) -> str:
        return self._folder.path(name)

    def names(self, name: str = "", recursive: bool = False) -> list[str]:
        """Names of the files in a folder, or in one of an archive: `a.zip!frames`."""
        archive, mark, parent = name.partition(MEMBER)
        if not mark or not is_archive(archive):
            return self._folder.names(name, recursive)
        return [f"{archive}{MEMBER}{member}" for member in _within(self.members(archive), parent, recursive)]

    def write(self, name: str, content: bytes) -> None:
        self._folder.write(name, content)

    def members(self, name: str) -> list[str]:
        """Names of the files in an archive, sorted."""
        return sorted(self._opened(name).names)

    def read(self, name: str) -> bytes:
        """The content of a file or member. Raises StoreError when it cannot be read."""
        if MEMBER not in name:
            return self._folder.read(name)
        with self.stream(name) as stream:
            try:
                return stream.read()
            except BROKEN as error:
                raise StoreError(f"cannot read {self.path(name)}: {error}") from None

    def stream(self, name: str) -> IO[bytes]:
        """A file or member to be read piece by piece. Raises StoreError when it cannot be opened."""
        archive, mark, member = name.partition(MEMBER)
        if not mark or not is_archive(archive):
            return self._folder.stream(name)
        try:
            return self._opened(archive).stream(member)
        except KeyError:
            raise StoreError(f"{self.path(archive)} has no member {member}") from None
        except BROKEN as error:
            raise StoreError(f"cannot read {self.path(name)}: {error}") from None

    def _opened(self, name: str) -> "_Archive":
        with self._lock:
            if name not in self._archives:
                try:
                    stream: Any = self._folder.stream(name)
                    self._archives[name] = _Zip(stream) if name.lower().endswith(".zip") else _Tar(stream, name)
                except BROKEN as error:
                    raise StoreError(f"{self.path(name)} is cut off or no archive: {error}") from None
            return self._archives[name]


class ArchiveRoot:
    """An archive as the folder that paths of images are relative to."""

    def __init__(self, folder: WithArchives, archive: str) -> None:
        self._folder, self._archive = folder, archive

    def __reduce__(self) -> tuple[type, tuple[WithArchives, str]]:
        return (ArchiveRoot, (self._folder, self._archive))

    def path(self, name: str) -> str:
        return f"{self._folder.path(self._archive)}{MEMBER}{name}"

    def names(self, name: str = "", recursive: bool = False) -> list[str]:
        return _within(self._folder.members(self._archive), name, recursive)

    def read(self, name: str) -> bytes:
        return self._folder.read(f"{self._archive}{MEMBER}{name}")

    def stream(self, name: str) -> IO[bytes]:
        return self._folder.stream(f"{self._archive}{MEMBER}{name}")

    def write(self, name: str, content: bytes) -> None:
        raise StoreError(f"{self.path(name)}: archives are only read")


def _within(names: Sequence[str], folder: str, recursive: bool) -> list[str]:
    parent = PurePosixPath(folder)
    if recursive:
        return [name for name in names if parent in PurePosixPath(name).parents]
    return [name for name in names if PurePosixPath(name).parent == parent]


def is_sample_archive(folder: Files, name: str) -> bool:
    """Whether a tar holds samples of several members each, by its first members, and not files of rows.

    Raises:
        InputError: it is no archive.
    """
    if name.lower().endswith((".zip", ".tar.zst")):
        return False
    names: list[str] = []
    try:
        with folder.stream(name) as stream, opened_tar(stream, "r|*") as archive:
            for member in archive:
                names += [member.name] if member.isfile() else []
                if len(names) == FIRST_MEMBERS:
                    break
    except BROKEN as error:
        # One that breaks off later is told of when its samples are read, with the last whole one.
        if not names:
            raise InputError(f"{folder.path(name)} is cut off or no tar archive: {error}") from None
    if any(member.lower().endswith(ROW_ENDINGS) for member in names):
        return False
    return len({split_name(member)[0] for member in names}) < len(names)


class _Archive(Protocol):
    names: dict[str, int]
    """Bytes of every member by its name."""

    def stream(self, member: str) -> IO[bytes]: ...


class _Zip:
    def __init__(self, stream: IO[bytes]) -> None:
        self._file = zipfile.ZipFile(stream)
        self.names = {entry.filename: entry.file_size for entry in self._file.infolist() if not entry.is_dir()}

    def stream(self, member: str) -> IO[bytes]:
        return self._file.open(member)


class _Tar:
    """A tar whose members are read at their places; a compressed one is unpacked to a temporary file first."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = _unpacked(stream, name)
        self._lock = threading.Lock()
        with opened_tar(self._stream, "r:") as archive:
            files = {member.name.removeprefix("./"): member for member in archive if holds_content(member)}
        self._places = {name: member.offset_data for name, member in files.items()}
        self.names = {name: member.size for name, member in files.items()}

    def stream(self, member: str) -> IO[bytes]:
        return io.BufferedReader(
            _Slice(self._stream, self._lock, self._places[member], self.names[member]), SLICE_BYTES
        )


class _Slice(io.RawIOBase):
    """A part of a file that others read, too."""

    def __init__(self, stream: IO[bytes], lock: threading.Lock, start: int, size: int) -> None:
        self._stream, self._lock, self._place, self._end = stream, lock, start, start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._end - self._place)
        with self._lock:
            self._stream.seek(self._place)
            content = self._stream.read(wanted)
        if len(content) < wanted:
            raise EOFError("the archive breaks off")
        buffer[:wanted] = content
        self._place += wanted
        return wanted


def _unpacked(stream: IO[bytes], name: str) -> IO[bytes]:
    codec = CODECS.get(PurePosixPath(name.lower().replace(".tgz", ".gz")).suffix)
    if codec is None:
        return stream
    # It lies on disk and has no name: it is gone when the archive is closed.
    unpacked: Any = tempfile.TemporaryFile()  # noqa: SIM115
    pieces = Pieces(stream, codec)
    while piece := pieces.more():
        unpacked.write(piece)
    if pieces.trouble:
        raise EOFError(pieces.trouble)
    unpacked.seek(0)
    return unpacked
