"""Which checkpoint generators and reward models start from: its place, which is free, and its content, which counts."""

import hashlib
from pathlib import Path

from pydantic import Field

from dt2it_ray.errors import ConfigError
from dt2it_ray.settings import Settings

TINY = "tiny"
HASHED_WHOLE_BYTES = 64 * 2**20
"""Smaller files are hashed by content; of larger ones the name and size, and the header, must do."""
HEADER_BYTES = 2**20


class Backbone(Settings):
    """A checkpoint in the transformers folder layout."""

    path: str = Field(exclude=True)
    """Where it is now. Not part of a fingerprint."""
    digest: str
    """Hash of what it holds."""


def find_backbone(name: str) -> Backbone:
    """The checkpoint of this name: `tiny` for the one that comes with the package, else a folder.

    Raises:
        ConfigError: there is no such folder, or it holds no config.json or no safetensors.
    """
    folder = _tiny_path() if name == TINY else Path(name)
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise ConfigError(f"backbone={name}: {folder} holds no {pattern}; give `tiny` or a checkpoint's folder")
    return Backbone(path=str(folder), digest=_digest(folder))


def _tiny_path() -> Path:
    from dt2it_ray.models.tiny import tiny_path

    return tiny_path()


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md"):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(size if size <= HASHED_WHOLE_BYTES else HEADER_BYTES))
    return digest.hexdigest()[:16]
