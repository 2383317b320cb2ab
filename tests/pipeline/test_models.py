"""A run offers its ensemble beside its models, under a name of its own."""

import json
from pathlib import Path

from dt2it_ray.models.ensemble import write_ensemble
from dt2it_ray.pipeline.models import models_of
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Counts, Manifest, write_manifest


def test_an_ensemble_in_the_runs_folder_is_offered_by_name(tmp_path: Path) -> None:
    run = Folder(str(tmp_path))
    steps = [{"step": f"{name}/train", "stage": "train", "inputs": {}} for name in ("raw_baseline", "iter-00")]
    (tmp_path / "run.json").write_text(json.dumps({"settings": {}, "plan": steps, "provenance": {}}))
    for step in steps:
        manifest = Manifest(step["step"], "train", 1, "f00d", {}, {}, (), Counts(), {}, {}, {})
        write_manifest(run, manifest)
        (tmp_path / step["step"] / "f00d" / "model").mkdir(parents=True)
    models = models_of(run)
    assert sorted(models) == ["iter-00", "raw_baseline"]
    write_ensemble(str(tmp_path / "ensemble"), list(models.values()))
    assert models_of(run) == {**models, "ensemble": str(tmp_path / "ensemble")}
