"""The commands `train` and `score` as typed: options become settings, faults their exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.cli import main
from dt2it_ray.models import open_scorer
from dt2it_ray.models.tiny import tiny_path
from tests.pipeline.training_runs import ROWS, FakeTraining, take_over
from tests.stages.ingest_files import write_lines
from tests.stages.rows import ToyScorer

MAPPED = [{"ask": row["question"], "good": row["chosen"], "bad": row["rejected"]} for row in ROWS]
COLUMNS = "{question: ask, chosen: good, rejected: bad}"


def exit_code(*typed: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(typed)
    return int(stopped.value.code or 0)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    return take_over(monkeypatch, FakeTraining())


def typed(tmp_path: Path, rows: list[Any], *more: str, output: str = "out") -> tuple[str, ...]:
    source = write_lines(tmp_path / "rows.jsonl", rows)
    return ("--input", source, "--output", str(tmp_path / output), *more)


def test_options_of_a_training_become_its_settings(
    tmp_path: Path, training: FakeTraining, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--format", "flat", "--workers", "2", "--micro-batch", "4", "--base", "tiny", "train.epochs=3")
    options = (*options, "--micro-batch-tokens", "900")
    assert exit_code("train", *typed(tmp_path, ROWS, *options)) == 0
    (job,) = training.jobs
    assert (job["placement"].workers, job["placement"].micro_batch_pairs, job["placement"].gpus) == (2, 4, 0)
    assert job["placement"].micro_batch_tokens == 900
    assert (job["settings"]["epochs"], job["settings"]["precision"], job["base"]) == (3, "float32", str(tiny_path()))
    told = capsys.readouterr().out
    assert "6 pairs, 1 steps" in told
    assert f"Model: {tmp_path}/out/model" in told


def test_a_gpu_is_asked_for_by_name(tmp_path: Path, training: FakeTraining) -> None:
    assert exit_code("train", *typed(tmp_path, ROWS, "--format", "flat", "--device", "cuda")) == 0
    (job,) = training.jobs
    assert (job["placement"].gpus, job["settings"]["precision"]) == (1, "bfloat16")
    assert exit_code("train", *typed(tmp_path, ROWS, "--format", "flat", "--device", "tpu")) == 2


@pytest.mark.parametrize("content", [COLUMNS, f"format: mapping\nmapping: {COLUMNS}\n"], ids=["alone", "in a config"])
def test_columns_are_named_by_a_file(tmp_path: Path, training: FakeTraining, content: str) -> None:
    (tmp_path / "columns.yaml").write_text(content)
    assert exit_code("train", *typed(tmp_path, MAPPED, "--mapping", str(tmp_path / "columns.yaml"))) == 0
    assert sorted(training.rows.pair(place).chosen.messages[-1]["content"] for place in range(6)) == [
        f"Red {n}." for n in range(6)
    ]


def test_faults_of_a_training_have_their_exit_codes(tmp_path: Path, training: FakeTraining) -> None:
    (tmp_path / "columns.yaml").write_text("[1, 2]")
    columns = str(tmp_path / "columns.yaml")
    assert exit_code("train", *typed(tmp_path, MAPPED, "--mapping", columns)) == 2
    assert exit_code("train", *typed(tmp_path, MAPPED, "--mapping", columns, "--format", "flat")) == 2
    assert exit_code("train", *typed(tmp_path, MAPPED, "--mapping", str(tmp_path / "gone.yaml"))) == 2
    assert exit_code("train", *typed(tmp_path, MAPPED, "--format", "flat")) == 1
    assert exit_code("train", "--output", str(tmp_path)) == 2
    assert exit_code("train", *typed(tmp_path, ROWS, "--format", "flat", "train.epoch=3")) == 2
    assert not training.jobs


def test_scores_are_written_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(open_scorer, "open_scorer", lambda *_, **__: ToyScorer())
    options = ("--model", str(tiny_path()), "--format", "flat")
    assert exit_code("score", *typed(tmp_path, ROWS, *options, output="scores.jsonl")) == 0
    assert "6 rows scored" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [row["rewards"] for row in rows] == [[6.0, 7.0]] * 6
    assert exit_code("score", *typed(tmp_path, ROWS, *options, output="scores.csv")) == 2
    assert exit_code("score", *typed(tmp_path, ROWS, "--format", "flat", output="scores.jsonl")) == 2
