"""Where a file lies that a person names by a path or a URI, and how one is written whole."""

import os

from dt2it_ray.store.files import Folder


def parent_and_name(path: str) -> tuple[Folder, str]:
    """The folder that a file or folder lies in, and its name there. Relative paths start where one is."""
    parent, _, name = (path if "://" in path else os.path.abspath(path)).rstrip("/").rpartition("/")
    return Folder(parent or "/"), name


def write_text(path: str, text: str) -> None:
    """Write a whole file. Raises StoreError when it cannot be written."""
    folder, name = parent_and_name(path)
    folder.write(name, text.encode())
