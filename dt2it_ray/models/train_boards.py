"""How the figures of steps get to TensorBoard, Weights & Biases and MLflow, in one run each across restarts."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from dt2it_ray.data.ids import content_id
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.train_job import Session, TrainJob

BOARD = "tensorboard"
"""Folder of TensorBoard's event files."""
MLFLOW_RUN = "mlflow_run"
"""File with the id of the run in MLflow."""


class Board(Protocol):
    """Hears figures, and is closed when there are no more, even if the training goes on later."""

    def write(self, step: int, figures: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def open_boards(job: TrainJob, session: Session, first_step: int) -> list[Board]:
    """The boards that a job asks for, of a training that goes on from a step, and the session; of worker 0 only.

    Raises:
        ConfigError: a package is not installed.
    """
    boards: list[Board] = []
    if session.rank:
        return boards
    if job.tensorboard:
        boards.append(_TensorBoard(job.output, first_step))
    if job.wandb_project:
        boards.append(_WeightsAndBiases(job))
    if job.mlflow_uri:
        boards.append(_Mlflow(job))
    return [*boards, _Watched(session)]


class _Watched:
    def __init__(self, session: Session) -> None:
        self._session = session

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        self._session.show({"step": step, **figures})

    def close(self) -> None:
        pass


class _TensorBoard:
    def __init__(self, folder: str, first_step: int) -> None:
        # Part of Ray Train's requirements; tensorboard itself is needed only to look at the files.
        from tensorboardX import SummaryWriter

        # Files are named by the second, so that one begun in the same second would replace the other without the step.
        suffix = f".{first_step}"
        self._writer = SummaryWriter(str(Path(folder, BOARD)), purge_step=first_step, filename_suffix=suffix)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        for name, figure in figures.items():
            self._writer.add_scalar(f"train/{name}", figure, step)

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    def __init__(self, job: TrainJob) -> None:
        try:
            import wandb  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ConfigError("training.wandb_project needs wandb: pip install 'dt2it_ray[wandb]'") from None
        # The same folder is the same run. Figures of steps that are taken again are refused there: they are the same.
        run_id = content_id("wandb-run", str(Path(job.output).resolve()))
        self._run = wandb.init(project=job.wandb_project, name=job.name, id=run_id, resume="allow", dir=job.output)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


class _Mlflow:
    def __init__(self, job: TrainJob) -> None:
        try:
            from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ConfigError("training.mlflow_uri needs mlflow: pip install 'dt2it_ray[mlflow]'") from None
        self._client, note = MlflowClient(job.mlflow_uri), Path(job.output, MLFLOW_RUN)
        if not note.exists():
            known = self._client.get_experiment_by_name(job.mlflow_experiment)
            number = known.experiment_id if known else self._client.create_experiment(job.mlflow_experiment)
            note.write_text(self._client.create_run(number, run_name=job.name).info.run_id, encoding="utf-8")
        self._run = note.read_text(encoding="utf-8")
        self._client.update_run(self._run, status="RUNNING")

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(time.time() * 1000)
        metrics: list[Any] = [Metric(name, float(figure), now, step) for name, figure in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._run)
