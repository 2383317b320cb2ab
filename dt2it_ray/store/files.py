"""How files are opened: the one module that knows whether a run lives on a local disk or in object storage."""

import contextlib
import fcntl
import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from dt2it_ray.errors import ConfigError, StoreError

ROWS_PER_SLICE = 256
"""Rows of a Parquet row group: what one read task loads and one actor call receives."""


DRAFT = ".tmp"
"""How names of files end that are being written; a process that dies leaves them behind."""


class Folder:
    """A folder at a local path or an object storage URI, addressed by relative names.

    Raises:
        ConfigError: the URI is malformed, or of a storage that is not supported.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri if "://" in uri else os.path.abspath(uri)
        try:
            self._filesystem, self._root = pafs.FileSystem.from_uri(self.uri)
        except (OSError, pa.ArrowException) as error:
            raise ConfigError(
                f"{uri} cannot be used as a folder: {str(error).splitlines()[0]}. "
                "Give a local path, or an address such as s3://BUCKET/FOLDER or gs://BUCKET/FOLDER."
            ) from None

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return (Folder, (self.uri,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folder) and other.uri == self.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    def __repr__(self) -> str:
        return f"Folder({self.uri!r})"

    def child(self, name: str) -> "Folder":
        """The folder `name` inside this one."""
        return Folder(self.path(name))

    def path(self, name: str) -> str:
        """The full path or URI of `name`, for messages and for libraries that open files themselves."""
        return f"{self.uri.rstrip('/')}/{name}" if name else self.uri

    def exists(self, name: str) -> bool:
        """Whether a file or folder of this name is there.

        Raises:
            StoreError: it may not be looked up.
        """
        try:
            return self._filesystem.get_file_info(self._inside(name)).type != pafs.FileType.NotFound
        except OSError as error:
            raise StoreError(f"cannot look up {self.path(name)}: {error}") from None

    def names(self, name: str = "", recursive: bool = False) -> list[str]:
        """Relative names of the files under `name`, sorted; empty if there is no such folder. Drafts are left out.

        Raises:
            StoreError: it may not be read.
        """
        selector = pafs.FileSelector(self._inside(name), allow_not_found=True, recursive=recursive)
        root = PurePosixPath(self._root)
        try:
            found = self._filesystem.get_file_info(selector)
            files = [entry.path for entry in found if entry.is_file and not entry.path.endswith(DRAFT)]
        except NotADirectoryError:
            return []
        except OSError as error:
            raise StoreError(f"cannot list {self.path(name)}: {error}") from None
        except UnicodeDecodeError as error:
            problem = f"the name {error.object!r} is no UTF-8; rename the file"
            raise StoreError(f"cannot list {self.path(name)}: {problem}") from None
        return sorted(str(PurePosixPath(path).relative_to(root)) for path in files)

    def read(self, name: str) -> bytes:
        """The content of a file. Raises StoreError when it cannot be read."""
        try:
            with self._filesystem.open_input_stream(self._inside(name), compression=None) as stream:
                return stream.read()
        except OSError as error:
            raise StoreError(f"cannot read {self.path(name)}: {error}") from None

    def stream(self, name: str) -> pa.NativeFile:
        """A file to be read piece by piece. Raises StoreError when it cannot be opened."""
        try:
            return self._filesystem.open_input_file(self._inside(name))
        except OSError as error:
            raise StoreError(f"cannot read {self.path(name)}: {error}") from None

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file at once: readers see the old content or the new, never a part."""
        with self.replacing(name) as stream:
            stream.write(content)

    def replacing(self, name: str) -> "_Replacing":
        """A stream whose content takes the place of `name` when the `with` block ends without an error."""
        return _Replacing(self, name)

    def delete(self, name: str) -> None:
        """Remove a file or a folder with all it holds; nothing happens if it does not exist."""
        path = self._inside(name)
        kind = self._filesystem.get_file_info(path).type
        if kind == pafs.FileType.Directory:
            self._filesystem.delete_dir(path)
        elif kind == pafs.FileType.File:
            self._filesystem.delete_file(path)

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Keep others who ask for the same file out for the `with` block, however the process ends.

        Object storage has no such lock: there the block is not guarded.

        Raises:
            StoreError: somebody else holds it, or the file cannot be written.
        """
        if "://" in self.uri:
            yield
            return
        with self._opened_to_append(name) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    f"another process is at work in {self.uri}; wait for it to end, or choose another name=NAME"
                ) from None
            yield

    def read_table(self, name: str, columns: list[str] | None = None, slice_index: int | None = None) -> pa.Table:
        """Rows of a Parquet file, all or one row group of it.

        Raises:
            StoreError: the file is missing, cut off or not Parquet, or lacks a column.
        """
        try:
            with self._filesystem.open_input_file(self._inside(name)) as stream:
                parquet = pq.ParquetFile(stream, page_checksum_verification=True)
                missing = sorted(set(columns or ()) - set(parquet.schema_arrow.names))
                if missing:
                    raise StoreError(f"{self.path(name)} has no column {missing}; it has {parquet.schema_arrow.names}")
                if slice_index is None:
                    return parquet.read(columns=columns, use_threads=False)
                return parquet.read_row_group(slice_index, columns=columns, use_threads=False)
        except FileNotFoundError:
            raise StoreError(
                f"{self.path(name)} is not there on this machine ({os.uname().nodename}). On several machines the run "
                "folder must be on a disk that all of them mount. If the file was lost, delete the step's folder and "
                "run again; finished earlier steps are kept."
            ) from None
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(
                f"cannot read {self.path(name)}: {str(error).splitlines()[0]}. The file is damaged: "
                "delete the step's folder and run again; finished earlier steps are kept."
            ) from None

    def write_table(self, name: str, table: pa.Table) -> str:
        """Write a Parquet file whose bytes depend on the rows alone; returns its sha256.

        Pages carry checksums, so that `read_table` notices a file that was damaged later.
        """
        buffer = io.BytesIO()
        pq.write_table(
            table.combine_chunks(),
            buffer,
            row_group_size=ROWS_PER_SLICE,
            compression="zstd",
            # Most columns are texts and ids that differ in every row: dictionaries made files larger, and took a third
            # of the time.
            use_dictionary=False,
            write_page_checksum=True,
        )
        self.write(name, buffer.getvalue())
        return hashlib.sha256(buffer.getbuffer()).hexdigest()

    def _opened_to_append(self, name: str) -> IO[bytes]:
        """A local file, made if it is not there and left as it is if it is: a lock is on the file, not on its name."""
        try:
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            return open(self.path(name), "ab")
        except OSError as error:
            raise self._not_writable(name, error) from None

    def _not_writable(self, name: str, error: OSError) -> StoreError:
        return StoreError(
            f"cannot write {self.path(name)}: {error}. "
            "Check that the folder exists, is writable and has free space, or pass root=DIR."
        )

    def _inside(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}" if name else self._root


def place_of(address: str) -> tuple[Folder, str]:
    """The folder of a file at a local path or an object storage URI, and the file's name in it.

    Raises:
        ConfigError: as `Folder` does.
    """
    parent, slash, name = address.rpartition("/")
    return Folder(parent or slash or "."), name


class _Replacing:
    """Writes to a temporary name and moves it into place; leaves nothing behind after an error."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder, self._name = folder, name
        self._draft = f"{name}.{uuid.uuid4().hex[:8]}{DRAFT}"

    def __enter__(self) -> pa.NativeFile:
        filesystem, path = self._folder._filesystem, self._folder._inside(self._draft)
        try:
            filesystem.create_dir(str(PurePosixPath(path).parent), recursive=True)
            self._stream = filesystem.open_output_stream(path, compression=None)
        except OSError as error:
            raise self._folder._not_writable(self._name, error) from None
        return self._stream

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        filesystem, path = self._folder._filesystem, self._folder._inside(self._draft)
        try:
            self._stream.close()
            if kind is None:
                filesystem.move(path, self._folder._inside(self._name))
            else:
                filesystem.delete_file(path)
        except OSError as trouble:
            raise StoreError(f"cannot finish {self._folder.path(self._name)}: {trouble}") from None
        if isinstance(error, OSError):
            raise StoreError(f"cannot write {self._folder.path(self._name)}: {error}") from None
