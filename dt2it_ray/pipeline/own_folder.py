"""What commands with a folder of their own share: refused rows as JSON lines, and what is kept of their steps."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dt2it_ray.errors import ConfigError, StepChanged
from dt2it_ray.pipeline.drive import read_json
from dt2it_ray.pipeline.run_record import RUN_FILE
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.fingerprint import differences
from dt2it_ray.store.manifest import MANIFEST, Manifest

DROPPED_FILE = "dropped.jsonl"
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
"""How the folders are called in which steps write."""


def refuse_output_in_input(source: str, output: str) -> None:
    """Raises ConfigError if an output is the input or lies in it, where it would be read, or destroy what is read."""
    inside = Folder(source).path("").rstrip("/")
    if f"{Folder(output).path('').rstrip('/')}/".startswith(f"{inside}/"):
        raise ConfigError(f"output={output} is in the input, {inside}; give it a place elsewhere")


def refused_rows(run: Folder, manifests: Iterable[Manifest]) -> Iterator[dict[str, str]]:
    """The rows of DROPPED of some steps, step by step."""
    for manifest in manifests:
        for file in manifest.dropped:
            yield from manifest.data(run).read_table(file.name).to_pylist()


def placed(row: Mapping[str, str]) -> dict[str, Any]:
    """A refused row, whose key is its place in an outside file, with its file, row and field apart."""
    file, _, number = row["key"].rpartition(":")
    where, _, detail = row["detail"].partition(": ")
    return {
        "file": file,
        "row": int(number.partition(".")[0]),
        "field": where.removeprefix("field "),
        "reason": row["reason"],
        "detail": detail,
        "raw": row["evidence"],
    }


def write_refused(folder: Folder, name: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Write refused rows as lines of JSON; returns how many there are by reason."""
    counts: dict[str, int] = {}
    with folder.replacing(name) as stream:
        for row in rows:
            counts[row["reason"]] = counts.get(row["reason"], 0) + 1
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
    return dict(sorted(counts.items()))


def forget_steps(steps: Sequence[Step], run: Folder) -> None:
    """Remove what these steps wrote, with these settings or others; not what else lies in folders of their names."""
    for step in steps:
        inside = (name.removeprefix(f"{step.name}/") for name in run.names(step.name, recursive=True))
        for made in {name.partition("/")[0] for name in inside}:
            if made == MANIFEST or FINGERPRINT.fullmatch(made):
                run.delete(f"{step.name}/{made}")
        for folder in (step.name, step.name.partition("/")[0]):
            if not run.names(folder, recursive=True):
                run.delete(folder)


def explain_other_settings(
    run: Folder, settings: Settings, groups: Sequence[str], made: str, kept_step: str
) -> StepChanged:
    """What differs from the settings that a folder was made with. One step alone knows too little, and is often all
    that is left; `kept_step` is that one, and `made` what the folder holds."""
    before, now = (
        {name: tree.get(name, {}) for name in groups}
        for tree in (read_json(run, RUN_FILE).get("settings", {}), settings.model_dump(mode="json"))
    )
    lines = differences(before, now) or ["the files that it reads have changed, or the code that reads them"]
    return StepChanged(
        f"{run.path('')} holds {made} that would now be made differently:\n"
        + "\n".join(f"  {line}" for line in lines)
        + f"\nChoose another output, or delete {run.path(kept_step)} to make it anew."
    )
