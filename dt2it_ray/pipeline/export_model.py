"""How `dt2it export --model` writes a reward model for other tools, with a card that says how it was made."""

import hashlib
import json
from pathlib import Path
from typing import Any

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.calibration import read_calibration
from dt2it_ray.models.hub import check_repository, push_folder
from dt2it_ray.pipeline.evaluate_command import read_result
from dt2it_ray.pipeline.run_record import RUN_FILE
from dt2it_ray.report.model_card import CardFacts, build_model_card
from dt2it_ray.settings import Settings
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import MANIFEST, Manifest, read_manifest

CONFIG = "reward_config.json"
DEEPEST = 6
"""Folders above a model's in which its run may lie: RUN/iter-01/voter-1/train/FINGERPRINT/model is five below RUN."""


class ExportModelSettings(Settings):
    """One export of weights: from where, for whom, and what the card says beside what is recorded."""

    model: str
    """Folder of a reward model: ours, sequence classification, or a value head."""
    output: str
    """Folder to make."""
    to: str = "vllm"
    """`vllm`, `sequence_classification`, `value_head` or `reward_model` (ours)."""
    license: str = ""
    """Identifier of the license that the weights are passed on under, as hubs name it: `apache-2.0`. Empty: unknown."""
    base: str = ""
    """Name of the base for the card. Empty: that of the run's settings, where the model lies in its run."""
    results: tuple[str, ...] = ()
    """Files of `dt2it evaluate --json` that the card shows."""
    push: str = ""
    """OWNER/NAME on a model hub that the folder is sent to. Empty: nowhere."""
    private: bool = True
    """Whether a repository that is made for it is closed to others."""


def export_model(settings: ExportModelSettings) -> str:
    """Write the folder and send it where it is to go; returns what is to be told.

    Raises:
        ConfigError: see `export_weights`. StoreError: the model cannot be read, or the hub refuses.
        InputError: a file of results is none.
    """
    from dt2it_ray.models.export_weights import export_weights

    if settings.push:
        check_repository(settings.push)
    facts = _facts(settings)
    written = export_weights(
        settings.model,
        settings.output,
        settings.to,
        lambda config: build_model_card(
            CardFacts(name=config.name, to=settings.to, model=config.model_dump(mode="json"), **facts)
        ),
    )
    told = f"{written.name} for {settings.to} in {settings.output}"
    if settings.push:
        message = f"{written.name}, fingerprint {written.fingerprint}"
        told += f"; sent to {push_folder(settings.output, settings.push, settings.private, message)}"
    return told


def _facts(settings: ExportModelSettings) -> dict[str, Any]:
    if not Path(settings.model).is_dir():
        raise ConfigError(f"model={settings.model}: there is no such folder")
    calibration = read_calibration(settings.model)
    found = find_training(settings.model)
    return {
        "license": settings.license,
        "base": settings.base or (_base_of(found[0]) if found else ""),
        "training": _told(*found) if found else {},
        "calibration": calibration.model_dump() if calibration else {},
        "results": [read_result(path) for path in settings.results],
    }


def find_training(model: str) -> tuple[Path, Manifest] | None:
    """The run in which the model of a folder was trained, and the step; None where the folder does not lie in a run.

    Raises:
        StoreError: the step's manifest cannot be read.
    """
    folder = Path(model).resolve()
    for above in list(folder.parents)[:DEEPEST]:
        for manifest in (above / MANIFEST, *sorted(above.glob(f"*/train/{MANIFEST}"))):
            if manifest.is_file():
                step = json.loads(manifest.read_text(encoding="utf-8"))["step"]
                run = manifest.parents[len(Path(step).parts)]
                found = read_manifest(Folder(str(run)), step)
                return (run, found) if found is not None and _made(found, folder) else None
    return None


def _made(found: Manifest, model: Path) -> bool:
    """Whether a train step lists the model in a folder: its config holds the fingerprint of its weights."""
    config = model / CONFIG
    if found.stage != "train" or not config.is_file():
        return False
    sha256 = hashlib.sha256(config.read_bytes()).hexdigest()
    return any(file.name == f"model/{CONFIG}" and file.sha256 == sha256 for file in found.files)


def _base_of(run: Path) -> str:
    """The base that a run's settings name."""
    try:
        tree = json.loads((run / RUN_FILE).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError):
        return ""
    named = str(tree.get("backbone") or tree.get("base") or "")
    return Path(named).name


def _told(run: Path, found: Manifest) -> dict[str, Any]:
    return {
        "run": run.name,
        "step": found.step,
        "fingerprint": found.fingerprint,
        "inputs": dict(found.inputs),
        "settings": found.settings,
        "counts": {"rows_out": found.counts.rows_out, "dropped": found.counts.dropped},
        "metrics": found.metrics,
        "provenance": found.provenance,
    }
