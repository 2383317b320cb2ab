"""What a finished step says about itself: the file whose existence means that the step is done."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dt2it_ray.errors import StoreError
from dt2it_ray.store.files import Folder

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class PartFile:
    """One sealed file of a step: its name inside the data folder, its rows and its sha256."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Counts:
    """Where the rows went. rows_in = rows kept + dropped; `skipped` rows had no partner in a joined input,
    or were not for this export."""

    rows_in: int = 0
    rows_out: int = 0
    dropped: int = 0
    skipped: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """Everything needed to read a step's result and to know how it was made."""

    step: str
    stage: str
    version: int
    fingerprint: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: tuple[PartFile, ...]
    """Sealed tables, or the files of a model or an export."""
    counts: Counts
    metrics: Mapping[str, Any]
    placement: Mapping[str, Any]
    provenance: Mapping[str, Any]
    """Seconds that the last call took, the input rows that earlier calls had finished, and where it was made."""
    dropped: tuple[PartFile, ...] = ()
    """Tables of the refused rows, with reasons."""

    def data(self, run: Folder) -> Folder:
        """Where the step's files are in the run."""
        return run.child(f"{self.step}/{self.fingerprint}")

    def to_json(self) -> str:
        """The manifest as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> "Manifest":
        """The manifest that `to_json` wrote. Raises KeyError or TypeError when fields are missing or unknown."""
        tree = json.loads(text)
        for name in ("files", "dropped"):
            tree[name] = tuple(PartFile(**entry) for entry in tree[name])
        tree["counts"] = Counts(**tree["counts"])
        return Manifest(**tree)


def read_manifest(run: Folder, step: str) -> Manifest | None:
    """The manifest of a step, or None when the step is not done.

    Raises:
        StoreError: the file is there but is not a manifest.
    """
    name = f"{step}/{MANIFEST}"
    if not run.exists(name):
        return None
    try:
        return Manifest.from_json(run.read(name).decode())
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{run.path(name)} is not a manifest: {error}. Delete it to run the step again.") from None


def write_manifest(run: Folder, manifest: Manifest) -> None:
    """Declare a step done."""
    run.write(f"{manifest.step}/{MANIFEST}", manifest.to_json().encode())
