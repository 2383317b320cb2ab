"""Which file operations a format needs of the folder it is written to or read from."""

from typing import IO, Protocol

from dt2it_ray.errors import InputError, StoreError


class Files(Protocol):
    """A folder whose files have relative names; the store's `Folder` is one."""

    def path(self, name: str) -> str: ...

    def names(self, name: str = "", recursive: bool = False) -> list[str]: ...

    def read(self, name: str) -> bytes: ...

    def stream(self, name: str) -> IO[bytes]: ...

    def write(self, name: str, content: bytes) -> None: ...


def read_whole(folder: Files, name: str) -> bytes:
    """The content of a file of a released layout.

    Raises:
        InputError: the file cannot be read or is empty.
    """
    try:
        content = folder.read(name)
    except StoreError as error:
        raise InputError(f"{error}. Check the folder and download the benchmark again if the file is gone.") from None
    if not content:
        raise InputError(f"{folder.path(name)} is empty: the download was cut off. Download it again.")
    return content
