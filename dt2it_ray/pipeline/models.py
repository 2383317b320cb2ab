"""Which reward models a run has to offer, and where each one lies."""

from dt2it_ray.models.ensemble import ENSEMBLE
from dt2it_ray.pipeline.run_record import read_run
from dt2it_ray.store.files import Folder

TRAIN = "/train"
ENSEMBLE_FOLDER = "ensemble"


def models_of(run: Folder) -> dict[str, str]:
    """Model folders of the finished train steps by served name: `raw_baseline`, `iter-00`, `iter-01/voter-0`, ...

    `iter-NN/voter-0` is the model of the iteration before, under the name by which the iteration votes with it;
    `ensemble` is what `dt2it ensemble --output RUN/ensemble` made.

    Raises:
        StoreError: there is no run in the folder.
    """
    record = read_run(run)
    models = {
        step.removesuffix(TRAIN): manifest.data(run).path("model")
        for step, manifest in record.manifests.items()
        if step.endswith(TRAIN)
    }
    for iteration in record.iterations():
        before = f"iter-{int(iteration.removeprefix('iter-')) - 1:02d}"
        if before in models:
            models[f"{iteration}/voter-0"] = models[before]
    if run.exists(f"{ENSEMBLE_FOLDER}/{ENSEMBLE}"):
        models[ENSEMBLE_FOLDER] = run.path(ENSEMBLE_FOLDER)
    return dict(sorted(models.items()))
