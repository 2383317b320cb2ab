"""Which files of a submitted job would be lost with it.

Ray unpacks a job's working directory into a folder of its own on each machine that needs it, and deletes it later.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from dt2it_ray.errors import ConfigError
from dt2it_ray.settings import Settings

UNPACKED = "/working_dir_files/"
"""Stands in the path of such a folder (Ray 2.60)."""
FILES = ("root", "input", "image_root", "output", "cache", "benchmarks")
"""Settings that name files or folders of a run."""


def refuse_lost_files(settings: Settings, here: str | None = None) -> None:
    """Raises ConfigError if a submitted job reads or writes files by relative paths. `here` is the folder that these
    are of, by default the working directory."""
    here = os.getcwd() if here is None else here
    if UNPACKED not in f"{here}/":
        return
    for name, path in _files_of(settings):
        if path and "://" not in path and not os.path.isabs(path):
            raise ConfigError(
                f"{name}={path} would be in {here}, which Ray unpacked for this job, on this machine only, and "
                f"deletes later. Give a path that all machines mount, e.g. {name}=/shared/{os.path.basename(path)}."
            )


def _files_of(settings: Settings, place: str = "") -> Iterator[tuple[str, str]]:
    """Settings that name files, by their dotted keys, and their values."""
    for field in type(settings).model_fields:
        value: Any = getattr(settings, field)
        for key, member in _members(field, value):
            if isinstance(member, Settings):
                yield from _files_of(member, f"{place}{key}.")
            elif field in FILES and isinstance(member, str):
                yield f"{place}{key}", member


def _members(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a setting holds, by key: itself, or the members of a list or of a mapping."""
    if isinstance(value, Mapping):
        yield from ((f"{field}.{name}", member) for name, member in value.items())
    elif isinstance(value, tuple | list):
        yield from ((f"{field}.{number}", member) for number, member in enumerate(value))
    else:
        yield field, value
