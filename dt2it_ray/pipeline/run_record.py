"""What a run folder says about itself: its plan, its settings and the manifests of its finished steps."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.errors import StoreError
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest, read_manifest

RUN_FILE = "run.json"
SUMMARY_FILE = "summary.json"
ITERATION = re.compile(r"iter-\d+")


@dataclass(frozen=True)
class RunRecord:
    """A run as it was planned and as far as it is done; `manifests` holds finished steps in the order of the plan."""

    run: Folder
    settings: Mapping[str, Any]
    plan: Sequence[Mapping[str, Any]]
    provenance: Mapping[str, Any]
    manifests: Mapping[str, Manifest]

    def source_of(self, step: str, input_name: str) -> Manifest | None:
        """The finished step that `step` reads under `input_name`; None if either is not planned or not finished."""
        planned = next((entry for entry in self.plan if entry["step"] == step), None)
        return self.manifests.get(planned["inputs"].get(input_name, "")) if planned else None

    def iterations(self) -> list[str]:
        """Names of the planned iterations that curate the noisy pool: `iter-01`, `iter-02`, ..."""
        return curating_iterations(entry["step"] for entry in self.plan)

    def pool_scores(self) -> list[Manifest]:
        """The finished steps that score every answer of the noisy pool, in the order of the plan."""
        pool = self.source_of("open/pairs", "rows")
        planned = (entry["step"] for entry in self.plan if entry["stage"] == "score")
        made = (self.manifests[step] for step in planned if step in self.manifests)
        return [scores for scores in made if pool and scores.inputs["rows"] == pool.fingerprint]


def curating_iterations(steps: Any) -> list[str]:
    """The iterations among step names that make decisions, in order."""
    return sorted({step.partition("/")[0] for step in steps if ITERATION.match(step) and step.endswith("/decisions")})


def read_run(run: Folder) -> RunRecord:
    """The record of the run in a folder.

    Raises:
        StoreError: there is no run, or its record is damaged.
    """
    if not run.exists(RUN_FILE):
        raise StoreError(f"there is no run in {run.uri}: {RUN_FILE} is missing. Name the folder that `dt2it run` made.")
    try:
        told = json.loads(run.read(RUN_FILE))
        settings, plan, provenance = told["settings"], told["plan"], told["provenance"]
        read = {entry["step"]: read_manifest(run, entry["step"]) for entry in plan}
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{run.path(RUN_FILE)} is damaged: {error!r}. `dt2it run` writes it anew if deleted."
        ) from None
    manifests = {step: manifest for step, manifest in read.items() if manifest is not None}
    return RunRecord(run, settings, plan, provenance, manifests)
