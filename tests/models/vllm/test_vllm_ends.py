"""An engine that dies ends its Ray worker, so that the rows come all the same; elsewhere it is one clear error."""

import os
from pathlib import Path

import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.stages.stage import Placement, Step
from dt2it_ray.store.files import Folder
from tests.engine.toy import index_step, reporter

pytest.importorskip("vllm.sampling_params")
from dt2it_ray.models.vllm import engine
from dt2it_ray.models.vllm.generator import VllmGenerator
from tests.models.vllm.answering import ANSWER, SHORT, Answering, ask, engine_processes, kill_engine
from tests.models.vllm.checkpoints import SMALL, tiny_for_vllm

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return tiny_for_vllm(tmp_path_factory.mktemp("models") / "tiny")


def test_a_dead_engine_is_an_error_and_a_new_one_answers_as_it_did(tiny: Backbone) -> None:
    vllm = VllmGenerator(tiny, SMALL, SHORT)
    first = ask(vllm, "a", "b")
    kill_engine()
    # Requests come before, while and after vLLM finds out.
    for keys in (map(str, range(300)), "ab", "c"):
        with pytest.raises(StageFailed, match="the vLLM engine died"):
            ask(vllm, *keys)
    vllm.close()
    again = VllmGenerator(tiny, SMALL, SHORT)
    assert ask(again, "a", "b") == first
    assert engine_processes()
    again.close()
    again.close()
    assert engine_processes() == []
    with pytest.raises(StageFailed, match="closed"):
        ask(again, "a")


@pytest.mark.ray
def test_in_ray_a_dead_engine_ends_its_actor_and_no_row_is_lost(
    ray_session: None, tmp_path: Path, tiny: Backbone
) -> None:
    run, rows, opened = Folder(str(tmp_path / "run")), index_step(), tmp_path / "opened"
    run_step(rows, run, reporter())
    settings = Answering(backbone=tiny, killed=str(tmp_path / "killed"), opened=str(opened))
    placement = Placement(engine="ray", batch_rows=128)
    step = Step(name="answer", stage=ANSWER, settings=settings, inputs={"rows": rows}, placement=placement)
    manifest = run_step(step, run, reporter())
    assert (manifest.counts.rows_out, manifest.counts.dropped) == (1000, 0)
    processes = opened.read_text().split()
    assert len(processes) == len(set(processes)) == 2


def test_a_process_is_replaced_by_ray_only_if_a_raylet_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_RAYLET_PID", raising=False)
    assert not engine.restarted_by_ray()
    monkeypatch.setenv("RAY_RAYLET_PID", str(os.getppid()))
    assert engine.restarted_by_ray()
    # What a driver inherits that was submitted as a job.
    monkeypatch.setenv("RAY_RAYLET_PID", str(os.getpid()))
    assert not engine.restarted_by_ray()


def test_a_folder_that_vllm_cannot_run_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="vLLM cannot run"):
        VllmGenerator(Backbone(path=str(tmp_path), digest="d"), SMALL.model_copy(update={"max_model_len": 64}), SHORT)
