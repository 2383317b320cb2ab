"""Who else hears the figures of a training; the packages of others are stood in for."""

import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.engine import train_gauges
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.train_boards import open_boards
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import TrainLog
from dt2it_ray.models.train_settings import TrainSettings
from tests.models.test_train_loop import LocalSession

STEPS = [{"loss": 0.7, "accuracy": 0.5}, {"loss": 0.4, "accuracy": 1.0, "sampler_patterns": {"a": {"share": 1.0}}}]


def log_through(folder: Path, first_step: int = 0, rank: int = 0, **fields: Any) -> LocalSession:
    """The steps of a training in a folder, from one on, as its loop logs them."""
    folder.mkdir(exist_ok=True)
    job = TrainJob(
        settings=TrainSettings(), name="m", base="", pairs_paths=(), rows_paths=(), output=str(folder), **fields
    )
    session = LocalSession(folder / "state")
    session.rank = rank
    log = TrainLog(str(folder), rank, first_step, open_boards(job, session, first_step))
    for step, figures in enumerate(STEPS[first_step:], start=first_step):
        log.write(step, figures, [])
    log.close()
    return session


def package(monkeypatch: pytest.MonkeyPatch, name: str, **contents: Any) -> None:
    module = types.ModuleType(name)
    for key, value in contents.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def test_weights_and_biases_hears_numbers_in_one_run_across_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []

    class Run:
        def log(self, figures: Mapping[str, float], step: int) -> None:
            heard.append((step, figures))

        def finish(self) -> None:
            heard.append("finished")

    def init(**said: Any) -> Run:
        heard.append(said)
        return Run()

    package(monkeypatch, "wandb", init=init)
    for first in (0, 1):
        log_through(tmp_path, first, wandb_project="rewards")
    begun, again = (said for said in heard if isinstance(said, dict))
    assert begun == again
    assert (begun["project"], begun["name"], begun["resume"]) == ("rewards", "m", "allow")
    assert [said for said in heard if isinstance(said, tuple)] == [
        (0, STEPS[0]),
        *[(1, {"loss": 0.4, "accuracy": 1.0})] * 2,
    ]
    assert heard.count("finished") == 2


def test_mlflow_hears_numbers_in_one_run_across_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    experiments: dict[str, Any] = {}

    class MlflowClient:
        def __init__(self, uri: str) -> None:
            assert uri == "file:runs"

        def get_experiment_by_name(self, name: str) -> Any:
            return experiments.get(name)

        def create_experiment(self, name: str) -> str:
            experiments[name] = types.SimpleNamespace(experiment_id=f"id of {name}")
            return experiments[name].experiment_id

        def create_run(self, number: str, run_name: str) -> Any:
            heard.append(("run", number, run_name))
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id="r1"))

        def update_run(self, run: str, status: str) -> None:
            heard.append((run, status))

        def log_batch(self, run: str, metrics: list[Any]) -> None:
            heard.append((run, [(metric.key, metric.value, metric.step) for metric in metrics]))

        def set_terminated(self, run: str) -> None:
            heard.append((run, "over"))

    def metric(key: str, value: float, timestamp: int, step: int) -> Any:
        return types.SimpleNamespace(key=key, value=value, step=step)

    package(monkeypatch, "mlflow")
    package(monkeypatch, "mlflow.tracking", MlflowClient=MlflowClient)
    package(monkeypatch, "mlflow.entities", Metric=metric)
    for first in (0, 1):
        log_through(tmp_path, first, mlflow_uri="file:runs", mlflow_experiment="e")
    second = ("r1", [("loss", 0.4, 1), ("accuracy", 1.0, 1)])
    assert heard == [
        ("run", "id of e", "m"),
        ("r1", "RUNNING"),
        ("r1", [("loss", 0.7, 0), ("accuracy", 0.5, 0)]),
        second,
        ("r1", "over"),
        ("r1", "RUNNING"),
        second,
        ("r1", "over"),
    ]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_board_whose_package_is_missing_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for module in (name, f"{name}.tracking"):
        monkeypatch.setitem(sys.modules, module, None)
    asked = {"wandb": {"wandb_project": "p"}, "mlflow": {"mlflow_uri": "file:x"}}[name]
    with pytest.raises(ConfigError, match=rf"needs {name}: pip install 'dt2it_ray\[{name}\]'"):
        log_through(tmp_path, **asked)


def test_the_session_is_shown_the_figures_of_worker_0(tmp_path: Path) -> None:
    assert log_through(tmp_path).shown == {"step": 1, "loss": 0.4, "accuracy": 1.0}
    assert not hasattr(log_through(tmp_path, rank=1, wandb_project="never opened"), "shown")


def test_gauges_have_the_figures_of_the_last_step_by_model(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[tuple[str, str], float] = {}

    class Gauge:
        def __init__(self, name: str, description: str, tag_keys: tuple[str, ...]) -> None:
            self.name = name
            assert tag_keys == ("model",)
            assert ("new", name) not in shown
            shown["new", name] = 1.0

        def set(self, value: float, tags: Mapping[str, str]) -> None:
            shown[self.name, tags["model"]] = value

    package(monkeypatch, "ray.util.metrics", Gauge=Gauge)
    gauges = train_gauges.TrainGauges("iter-01/m")
    for loss in (0.7, 0.4):
        gauges.set({"loss": loss})
    assert shown == {("new", "dt2it_train_loss"): 1.0, ("dt2it_train_loss", "iter-01/m"): 0.4}
