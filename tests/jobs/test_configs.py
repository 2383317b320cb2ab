"""Every shipped configuration is loaded and planned; every job is short and tells its usage."""

import subprocess
import sys
from pathlib import Path

import pytest

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.construct_run import ConstructRunSettings, plan_construct
from dt2it_ray.pipeline.evaluate_run import EvaluateRunSettings
from dt2it_ray.pipeline.ingest_run import IngestRunSettings, plan_ingest_run
from dt2it_ray.pipeline.job_folder import refuse_lost_files
from dt2it_ray.pipeline.plan import plan_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.study_losses import LossStudySettings, plan_losses
from dt2it_ray.pipeline.study_style import StyleStudySettings, plan_style_study
from dt2it_ray.pipeline.train_command import load_train_settings, plan_train
from dt2it_ray.settings import load_settings

JOBS = Path(__file__).parents[2] / "jobs"
CONSTRUCT, STYLE, LOSSES, EVALUATE, INGEST = (
    "construct.yaml",
    "style.yaml",
    "losses.yaml",
    "evaluate.yaml",
    "ingest.yaml",
)
OUTSIDE = ("easy_vqa.yaml", "nlvr.yaml")
TRAIN = "hh_rlhf.yaml"
OTHERS = (CONSTRUCT, STYLE, LOSSES, EVALUATE, INGEST, TRAIN)
LOOPS = sorted(path for path in JOBS.glob("configs/*.yaml") if path.name not in OTHERS)
SCRIPTS = sorted(JOBS.glob("*.py"))


@pytest.mark.parametrize("config", LOOPS, ids=lambda path: path.stem)
def test_a_config_makes_a_plan(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(RunSettings, config)
    assert (config.name in OUTSIDE) == bool(settings.outside)
    if settings.outside:
        monkeypatch.chdir(tmp_path)
        for one in (
            *settings.outside.demonstrations.values(),
            *settings.outside.trusted.values(),
            *settings.outside.pool.values(),
            *settings.outside.tests.values(),
        ):
            Path(one.files.input).parent.mkdir(parents=True, exist_ok=True)
            Path(one.files.input).write_text("{}\n")
    assert plan_run(settings, Backbone(path="", digest=""))


def test_the_construction_makes_a_plan(tmp_path: Path) -> None:
    (tmp_path / "asked.jsonl").write_text("")
    given = [f"input={tmp_path}/asked.jsonl"]
    assert plan_construct(load_settings(ConstructRunSettings, JOBS / "configs" / CONSTRUCT, given))


def test_the_ingestion_makes_a_plan(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    given = [f"files.input={tmp_path}/rows.jsonl", "ingest.decontaminate.benchmarks={}"]
    names = [step.name for step in plan_ingest_run(load_settings(IngestRunSettings, JOBS / "configs" / INGEST, given))]
    assert names == ["load", "images", "repeats", "ingested"]


def test_the_training_makes_a_plan(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    settings = load_train_settings(str(JOBS / "configs" / TRAIN), [f"files.input={tmp_path}/rows.jsonl", "base=tiny"])
    names = [step.name for step in plan_train(settings)]
    assert names[-3:] == ["rows/pairs", "rows/prompts", "reward-model/train"]


def test_the_construction_can_be_submitted_as_a_job_once_its_files_are_shared() -> None:
    shared = ["root=/shared/runs", "input=/shared/asked.jsonl", "output=/shared/pairs.json"]
    settings = load_settings(ConstructRunSettings, JOBS / "configs" / CONSTRUCT, shared)
    refuse_lost_files(settings, "/tmp/ray/working_dir_files/_ray_pkg_0a")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_job_is_under_sixty_lines(script: Path) -> None:
    assert len(script.read_text().splitlines()) < 60


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_job_tells_its_usage(script: Path) -> None:
    told = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "usage" in told.stdout.lower()


def test_the_study_of_losses_makes_a_plan() -> None:
    assert plan_losses(load_settings(LossStudySettings, JOBS / "configs" / LOSSES))


def test_the_style_study_makes_a_plan() -> None:
    assert plan_style_study(load_settings(StyleStudySettings, JOBS / "configs" / STYLE))


def test_the_evaluation_names_a_benchmark_and_a_judge() -> None:
    settings = load_settings(EvaluateRunSettings, JOBS / "configs" / EVALUATE)
    assert settings.judge is not None
    assert settings.benchmark == settings.judge.protocol == "vl_rewardbench"
