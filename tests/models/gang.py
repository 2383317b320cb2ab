"""Several workers of a training as processes of this machine, without Ray: they may be killed and begun again."""

import contextlib
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dt2it_ray.models.train_job import TrainJob

ENVIRONMENT = {"DS_ACCELERATOR": "cpu", "TORCHDYNAMO_DISABLE": "1"}


class FolderSession:
    """Implements `Session` over a folder that all workers see: the newest complete checkpoint counts."""

    def __init__(self, folder: Path, rank: int, world_size: int) -> None:
        self.folder, self.rank, self.world_size = folder, rank, world_size

    @contextlib.contextmanager
    def checkpoint(self) -> Iterator[str | None]:
        yield str(done[-1].parent) if (done := self._done()) else None

    def report(self, metrics: Mapping[str, Any], folder: str) -> None:
        import torch.distributed

        made = self.folder / f"{metrics['step']:05}"
        shutil.copytree(folder, made, dirs_exist_ok=True)
        torch.distributed.barrier()
        if self.rank == 0:
            before = self._done()
            (made / "done").touch()
            for old in before:
                shutil.rmtree(old.parent)
        torch.distributed.barrier()

    def show(self, figures: Mapping[str, float]) -> None:
        pass

    def leaving(self) -> bool:
        return False

    def warned(self) -> bool:
        return False

    def _done(self) -> list[Path]:
        return sorted(self.folder.glob("*/done"))


def train_together(job: TrainJob, state: Path, workers: int, over: Callable[[], bool] = lambda: False) -> bool:
    """Train in new processes; whether it came to its end. They are killed (SIGKILL) as soon as `over` says so."""
    with _environment():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["deepspeed", "dt2it_ray.models.train_loop"])
        with tempfile.TemporaryDirectory() as meeting:
            gang = [context.Process(target=_work, args=(job, state, rank, workers, meeting)) for rank in range(workers)]
            for process in gang:
                process.start()
            while any(process.is_alive() for process in gang):
                # A worker that fails leaves the others waiting for it.
                if over() or any(process.exitcode for process in gang):
                    for process in gang:
                        process.kill()
                time.sleep(0.002)
            for process in gang:
                process.join()
    return all(process.exitcode == 0 for process in gang)


def _work(job: TrainJob, state: Path, rank: int, world_size: int, meeting: str) -> None:
    import torch.distributed

    from dt2it_ray.models.train_loop import train

    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size)}
    store = f"file://{meeting}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=world_size)
    train(job, FolderSession(state, rank, world_size))
    torch.distributed.destroy_process_group()


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """DeepSpeed picks its accelerator when it is imported, in the process that the workers are forked from."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ |= ENVIRONMENT
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value
