"""Trainings on a cluster of processes whose machines come and go, each in a process of its own, as a test's Ray session
would be in its way. A training holds its breath at some step until its machines have changed, so that nothing depends
on speed.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dt2it_ray.engine.checkpoint_list import LIST
from dt2it_ray.engine.ray_train import RUN_NAME
from dt2it_ray.models.train_job import CHECKPOINTS
from dt2it_ray.models.train_log import read_training_log
from dt2it_ray.stages.stage import TrainPlacement

ROOT = Path(__file__).parents[2]
HELD_AT = 8
"""Steps after which a training waits for its machines to change."""
SAVED_EVERY = 3
SAVED_AT = HELD_AT - HELD_AT % SAVED_EVERY
"""Steps after which the newest checkpoint before that was made."""
PLACEMENT = TrainPlacement(workers=1, max_workers=2, resize_check_s=1, micro_batch_pairs=2, max_failures=1)
WARNING_S = 600
"""How long a drained machine says that it will stay: it is taken away before."""


def train_while(change: str, job: Mapping[str, Any], checkpoint_every_steps: int) -> dict[str, Any]:
    """Run the training of a job's fields while one of `CHANGES` happens; returns what was seen meanwhile."""
    output = Path(job["output"])
    placement = PLACEMENT.model_copy(update={"checkpoint_every_steps": checkpoint_every_steps})
    told = {"job": dict(job), "placement": placement.model_dump()}
    (output / "told.json").write_text(json.dumps(told))
    # A short name, as it becomes part of those of sockets.
    with tempfile.TemporaryDirectory(prefix="dt2it-", ignore_cleanup_errors=True) as home:
        private = {"HOME": home, "RAY_TMPDIR": home, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)}
        # Sooner than a user's: for workers that Ray puts on the machine that is gone.
        private["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = "10"
        done = subprocess.run(
            [sys.executable, "-m", "tests.engine.elastic_cluster", change, str(output)],
            env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | private,
            capture_output=True,
            text=True,
            timeout=1000,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads((output / "seen.json").read_text())


def held_worker(config: dict[str, Any]) -> None:
    """What each worker runs: the real loop, which waits where `_hold` says."""
    from ray.train.v2._internal.execution.context import get_train_context

    from dt2it_ray.engine import ray_train
    from dt2it_ray.models import train_notice

    leaving, output = ray_train._RaySession.leaving, Path(config["output"])
    train_notice.ASK_EVERY_S = 0.0

    def wait(self: Any) -> bool:
        while _is_held(output, self.world_size, get_train_context().preemption_context.preemption_info is not None):
            time.sleep(0.05)
        return leaving(self)

    ray_train._RaySession.leaving = wait
    ray_train.train_worker(config)


def _hold(output: Path, workers: int, *waits: tuple[int, bool]) -> None:
    """Let so many workers wait after each of some numbers of steps; those with False only until a machine is to go."""
    (output / "hold.json").write_text(json.dumps({"workers": workers, "waits": waits}))


def _is_held(output: Path, workers: int, warned: bool) -> bool:
    held = json.loads((output / "hold.json").read_text())
    if workers != held["workers"]:
        return False
    steps = len(read_training_log(str(output)))
    return any(steps >= after and not (warned and not even_then) for after, even_then in held["waits"])


def _newest_checkpoint(output: Path) -> int:
    """How many steps were done at the newest checkpoint that Ray's controller has heard of; 0 if there is none."""
    try:
        newest = json.loads((output / CHECKPOINTS / RUN_NAME / LIST).read_text())["latest_checkpoint_result"]
    except (FileNotFoundError, json.JSONDecodeError):  # It is written in place.
        return 0
    return 0 if newest is None else newest["metrics"]["step"] + 1


class _Training:
    """A cluster with one machine and one CPU, and a training on it in a thread."""

    def __init__(self, output: Path) -> None:
        import ray
        from ray.cluster_utils import Cluster

        self.output = output
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._model = ""

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        from dt2it_ray.engine import ray_train
        from tests.engine import elastic_cluster

        told = json.loads((self.output / "told.json").read_text())
        ray_train.train_worker = elastic_cluster.held_worker
        self._model = ray_train.run_training(told["job"], TrainPlacement.model_validate(told["placement"]))

    def wait(self, until: Callable[[], bool]) -> None:
        while not until():
            assert self._thread.is_alive(), "the training ended too early"
            time.sleep(0.05)

    def wait_for_steps(self, steps: int) -> None:
        self.wait(lambda: len(read_training_log(str(self.output))) >= steps)

    def wait_for_checkpoint(self, steps: int) -> None:
        """Until Ray's controller knows of a checkpoint: it asks now and then, and of the dead it learns no more."""
        self.wait(lambda: _newest_checkpoint(self.output) == steps)

    def end(self) -> None:
        import ray

        self._thread.join()
        assert self._model, "the training failed"
        ray.shutdown()
        self.cluster.shutdown()


def grow(training: _Training) -> dict[str, Any]:
    """A second machine comes."""
    _hold(training.output, 1, (HELD_AT, True))
    training.start()
    training.wait_for_steps(HELD_AT)
    training.wait_for_checkpoint(SAVED_AT)
    training.cluster.add_node(num_cpus=1)
    return {}


def lose(training: _Training) -> dict[str, Any]:
    """The second machine is killed."""
    node = training.cluster.add_node(num_cpus=1)
    _hold(training.output, 2, (HELD_AT, True))
    training.start()
    training.wait_for_steps(HELD_AT)
    training.wait_for_checkpoint(SAVED_AT)
    training.cluster.remove_node(node, allow_graceful=False)
    return {}


def drain(training: _Training) -> dict[str, Any]:
    """The second machine is about to go, and goes four steps later."""
    import ray
    from ray.core.generated import autoscaler_pb2

    node = training.cluster.add_node(num_cpus=1)
    _hold(training.output, 2, (HELD_AT, False), (HELD_AT + 4, True))
    training.start()
    training.wait_for_steps(HELD_AT)
    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    until_ms = int(1000 * (time.time() + WARNING_S))
    gcs = ray._raylet.GcsClient(address=training.cluster.address)
    accepted, why = gcs.drain_node(node.node_id, reason, "a test", until_ms)
    assert accepted, why
    training.wait_for_steps(HELD_AT + 4)
    training.wait_for_checkpoint(HELD_AT)
    saved = [path for path in training.output.rglob("checkpoint_*") if path.is_dir()]
    training.cluster.remove_node(node, allow_graceful=False)
    return {"saved": len(saved)}


CHANGES = {"grow": grow, "lose": lose, "drain": drain}

if __name__ == "__main__":
    begun = _Training(Path(sys.argv[2]))
    seen = CHANGES[sys.argv[1]](begun)
    begun.end()
    Path(sys.argv[2], "seen.json").write_text(json.dumps(seen))
