"""Ray's list of a training's checkpoints. It is written in place: a full disk leaves a part of it, at which Ray would
end every time."""

import json
import logging
from pathlib import Path

from dt2it_ray.models.checkpoint_parts import is_complete
from dt2it_ray.store.files import Folder

LIST = "checkpoint_manager_snapshot.json"
RESUME_FROM = "resume_from"
"""Beside the checkpoints: the name of the one to go on from until Ray has a list again."""


def newest_unlisted(folder: Path) -> str | None:
    """A checkpoint to go on from that Ray will not find; None if its list is sound, or there is no checkpoint.

    A damaged list is removed, and a warning names the checkpoint that takes its place. `folder` holds both.
    """
    listed = folder / LIST
    if listed.exists():
        if _is_sound(listed):
            return None
        newest = _newest(folder)
        logging.getLogger(__name__).warning(
            "%s is damaged; the training goes on from %s.", listed, folder / newest if newest else "its first step"
        )
        Folder(str(folder)).write(RESUME_FROM, newest.encode())
        listed.unlink()
    chosen = folder / RESUME_FROM
    name = chosen.read_text() if chosen.exists() else ""
    return str(folder / name) if name else None


def _is_sound(listed: Path) -> bool:
    """Whether it can be read, and every checkpoint of it is there."""
    try:
        results = json.loads(listed.read_bytes())["checkpoint_results"]
        return all((listed.parent / result["checkpoint_dir_name"]).is_dir() for result in results)
    except (ValueError, KeyError, TypeError):
        return False


def _newest(folder: Path) -> str:
    """The last by name, which is a time, of those that no worker was killed over."""
    checkpoints = filter(Path.is_dir, folder.glob("checkpoint_*"))
    return max((path.name for path in checkpoints if is_complete(path)), default="")
