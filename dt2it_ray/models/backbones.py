"""Which checkpoint generators and reward models start from: its place, which is free, and its content, which counts."""

import hashlib
from pathlib import Path

from pydantic import Field

from dt2it_ray.errors import ConfigError
from dt2it_ray.settings import Settings

TINY = "tiny"
KINDS = (".json", ".jinja", ".model", ".safetensors", ".txt")
"""Files of a checkpoint that decide what it does."""
HASHED_WHOLE_BYTES = 64 * 2**20
"""Smaller files are hashed whole; of larger ones a block in every stretch, in which each large tensor has a part."""
BLOCK_BYTES, STRETCH_BYTES = 2**16, 2**22


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
    # Workers have working directories of their own, where a relative path would lead elsewhere.
    folder = _tiny_path() if name == TINY else Path(name).expanduser().resolve()
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise ConfigError(f"backbone={name}: {folder} holds no {pattern}; give `tiny` or a checkpoint's folder")
    return Backbone(path=str(folder), digest=_digest(folder))


def _tiny_path() -> Path:
    from dt2it_ray.models.tiny import tiny_path

    return tiny_path()


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in KINDS):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as stream:
            if size <= HASHED_WHOLE_BYTES:
                digest.update(stream.read())
                continue
            for start in (*range(0, size, STRETCH_BYTES), size - BLOCK_BYTES):
                stream.seek(start)
                digest.update(stream.read(BLOCK_BYTES))
    return digest.hexdigest()[:16]
