"""Which files a data set is: one file, a pattern, a folder, or archives of such files."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import orjson

from dt2it_ray.data.formats.containers.archive import MEMBER, WithArchives, is_archive, is_sample_archive
from dt2it_ray.data.formats.containers.compressed import plain_name
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.records import kind_of
from dt2it_ray.errors import InputError, StoreError

DESCRIPTIONS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
"""Files that describe a data set and hold no rows."""
SHARD = re.compile(r"(?P<split>.*)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<kind>\..*)")
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""How releases call the files of their splits: rows of a test set must not become those of training unnoticed."""
BLOCK_BYTES = 1 << 20
WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Source:
    """The files of a data set, in the order they are read."""

    folder: Files
    """Opens them, members of archives too; picklable."""
    names: tuple[str, ...]
    """Relative to the folder; a member of an archive is `ARCHIVE!MEMBER`."""

    def hashes(self) -> dict[str, str]:
        """The sha256 of every file, by name; of an archive as a whole. They tell whether a source has changed."""
        return {name: _sha256(self.folder, name) for name in self.files()}

    def files(self) -> tuple[str, ...]:
        """The names of the files themselves: archives in the place of their members."""
        outer = [(name, name.partition(MEMBER)[0]) for name in self.names]
        return tuple(dict.fromkeys(archive if is_archive(archive) else name for name, archive in outer))


def find_source(address: str, open_folder: Callable[[str], Files]) -> Source:
    """The source at a local path or an object storage URI, its names sorted: a file of rows, an archive of them or a
    member of one, a WebDataset tar, a folder, or a pattern in which `*` stands for a part of a name, `**` for folders.

    Raises:
        InputError: there is no such file, none is a file of rows, a shard is missing, or a folder holds several splits.
    """
    outer, mark, member = address.partition(MEMBER)
    parent, _, last = outer.rstrip("/").rpartition("/")
    beside = open_folder(_folder_or_here(parent, address))
    # A file may have signs of a pattern in its name.
    if _is_file(WithArchives(beside), f"{last}{mark}{member}"):
        return _opened(beside, [f"{last}{mark}{member}"])
    if wild := WILD.search(address):
        return _by_pattern(address, wild.start(), open_folder)
    folder = open_folder(address)
    names = folder.names(recursive=True)
    if not names:
        raise InputError(f"{address}: there is no such file, and no folder with files in it")
    chosen = _rows_of_folder(folder, names)
    _refuse_splits(folder, chosen)
    return _opened(folder, chosen)


def _by_pattern(address: str, first_sign: int, open_folder: Callable[[str], Files]) -> Source:
    parent = address[:first_sign].rpartition("/")[0]
    pattern = address[len(parent) :].lstrip("/")
    folder = open_folder(_folder_or_here(parent, address))
    try:
        wanted = re.compile(_as_regex(pattern))
    except re.error as error:
        raise InputError(f"{address} is no pattern: {error}") from None
    names = [name for name in folder.names(recursive="/" in pattern or "**" in pattern) if wanted.fullmatch(name)]
    if not names:
        raise InputError(f"{address}: no file has such a name")
    return _opened(folder, [name for name in names if kind_of(name) or is_archive(name)] or names)


def _folder_or_here(parent: str, address: str) -> str:
    return parent or ("/" if address.startswith("/") else ".")


def _as_regex(pattern: str) -> str:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    return "".join(parts.get(part) or (_as_class(part) if part.startswith("[") else re.escape(part)) for part in found)


def _as_class(part: str) -> str:
    return part.replace("[!", "[^", 1).replace("\\", r"\\")


def _rows_of_folder(folder: Files, names: Sequence[str]) -> list[str]:
    """The files of rows among all of a folder: those that a saved data set lists, else all by their names."""
    saved = [name for name in names if PurePosixPath(name).name == "state.json"]
    if saved:
        return [shard for name in saved for shard in _listed(folder, name, names)]
    shown = [name for name in names if not any(part[0] in "._" for part in PurePosixPath(name).parts)]
    rows = [name for name in shown if kind_of(name) and PurePosixPath(name).name not in DESCRIPTIONS]
    plain = [name for name in rows if not is_archive(name)]
    chosen = plain or [name for name in shown if is_archive(name)]
    if not chosen:
        raise InputError(f"{folder.path('')} holds no file of rows among its {len(names)} files")
    return chosen


def _listed(folder: Files, state: str, names: Sequence[str]) -> list[str]:
    """The Arrow files of a data set that `datasets` saved, in its order."""
    try:
        described = orjson.loads(folder.read(state))
        files = [str(PurePosixPath(state).with_name(entry["filename"])) for entry in described["_data_files"]]
    except (StoreError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{folder.path(state)} does not list the files of a saved data set: {error}") from None
    if missing := sorted(set(files) - set(names)):
        raise InputError(f"{folder.path(missing[0])} is missing, which {folder.path(state)} lists")
    return files


def _refuse_splits(folder: Files, names: Sequence[str]) -> None:
    saved = {str(PurePosixPath(name).parent) for name in names if name.endswith(".arrow")}
    shards = {match["split"] for name in names if (match := SHARD.fullmatch(name))}
    plain = {split: name for name in reversed(names) if (split := _plain_split(name))}
    splits = sorted(saved or shards)
    if len(splits) > 1:
        where = folder.path(splits[0] if saved else f"{splits[0]}*")
    elif len(splits := sorted({*plain, *(PurePosixPath(split).name for split in shards)})) > 1 and plain:
        where = folder.path(next(plain[split] for split in splits if split in plain))
    else:
        return
    raise InputError(f"{folder.path('')} holds several splits, {', '.join(splits)}: name one of them, such as {where}")


def _plain_split(name: str) -> str | None:
    """The split that a file of rows is called after, if it is one of the usual names."""
    stem = PurePosixPath(plain_name(name)).stem.lower()
    return next((split for split, spelt in SPLITS.items() if stem in spelt), None)


def _refuse_missing_shards(folder: Files, names: Sequence[str]) -> None:
    shards: dict[tuple[str, int, str], set[int]] = {}
    for name in names:
        if match := SHARD.fullmatch(name):
            key = (match["split"], int(match["total"]), match["kind"])
            shards.setdefault(key, set()).add(int(match["number"]))
    for (split, total, kind), numbers in shards.items():
        for number in sorted(set(range(total)) - numbers):
            missing = folder.path(f"{split}-{number:05d}-of-{total:05d}{kind}")
            raise InputError(f"{missing} is missing: its neighbours promise {total} files. Download it again.")


def _opened(folder: Files, names: Sequence[str]) -> Source:
    """The files with the members of archives in the place of these."""
    if len(names) > 1:
        _refuse_missing_shards(folder, names)
    within = WithArchives(folder)
    chosen: list[str] = []
    for name in names:
        if is_archive(name) and not is_sample_archive(folder, name):
            chosen += [f"{name}{MEMBER}{member}" for member in _members(within, name)]
        elif kind_of(name):
            chosen.append(name)
    if not chosen:
        raise InputError(f"{folder.path(names[0])} is no file of rows, and holds none")
    return Source(within, tuple(chosen))


def _members(folder: WithArchives, archive: str) -> list[str]:
    """The files of rows in an archive."""
    try:
        names = folder.members(archive)
    except StoreError as error:
        raise InputError(f"{error}. Download it again.") from None
    rows = [name for name in names if kind_of(name) and not is_archive(name)]
    return [name for name in rows if PurePosixPath(name).name not in DESCRIPTIONS]


def _is_file(folder: Files, name: str) -> bool:
    try:
        with folder.stream(name):
            return True
    except StoreError:
        return False


def _sha256(folder: Files, name: str) -> str:
    digest = hashlib.sha256()
    with folder.stream(name) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
