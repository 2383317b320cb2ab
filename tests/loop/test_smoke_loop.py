"""The whole loop as a user runs it, at the smallest size: its results, its resumption, its refusals."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dt2it_ray.models.train_log import TRAINING_LOG, read_training_log
from tests.loop.runs import COMMAND, LIMIT_S, copy_steps, hashes_of, rows_of, run_loop, summary_of

CHECKPOINT_EVERY = 4
"""As in smoke.yaml."""

pytestmark = [pytest.mark.loop, pytest.mark.timeout(2 * LIMIT_S)]


def test_the_summary_has_what_outside_checks_read(finished: Path) -> None:
    summary = summary_of(finished)
    benchmarks = {"vl_rewardbench", "multimodal_rewardbench", "mm_rlhf_rewardbench"}
    for model in ("raw_baseline", "iter-00", "iter-01"):
        figures = summary["benchmarks"][model]
        assert benchmarks <= set(figures)
        accuracies = [figures[name]["accuracy"] for name in benchmarks]
        assert figures["mean_accuracy"] == pytest.approx(sum(accuracies) / 3)
        assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert summary["t2i"]["rows"] == 24
    assert summary["t2i"]["chosen_first"] == 12
    assert 0 <= summary["planted"]["recall"] <= 1
    assert 0 <= summary["planted"]["precision"] <= 1
    assert summary["wall_s"] > 0
    assert summary["peak_rss_mib"] > 100
    assert summary["rows"]["open/pairs"] == 160
    assert set(summary["rows"]) == set(summary["rows_per_s"])


def test_every_noisy_pair_has_one_decision_and_the_figures_follow_from_them(finished: Path) -> None:
    decisions = rows_of(finished, "iter-01/decisions")
    pairs = {row["pair_id"]: row for row in rows_of(finished, "open/pairs")}
    assert {row["pair_id"] for row in decisions} == set(pairs)
    acted = {row["pair_id"] for row in decisions if row["action"] != "kept"}
    wrong = {name for name, row in pairs.items() if row["planted_flip"]}
    planted = summary_of(finished)["planted"]
    assert planted["recall"] == pytest.approx(len(acted & wrong) / len(wrong))
    assert planted["precision"] == pytest.approx(len(acted & wrong) / len(acted))
    for row in decisions:
        swapped = row["chosen_id"] != pairs[row["pair_id"]]["chosen_id"]
        assert swapped == (row["action"] == "flipped")


def test_every_answer_of_the_pool_is_scored_exactly_once_by_every_voter(finished: Path) -> None:
    answers = [answer["answer_id"] for row in rows_of(finished, "open/rows") for answer in row["answers"]]
    for step in ("iter-01/score-voter-0", "iter-01/score-voter-1", "iter-01/score-consistency"):
        assert sorted(row["answer_id"] for row in rows_of(finished, step)) == sorted(set(answers))


def test_survivors_and_trusted_pairs_are_what_the_next_model_learns_from(finished: Path) -> None:
    decisions = rows_of(finished, "iter-01/decisions")
    kept = {row["pair_id"] for row in decisions if row["action"] != "dropped"}
    trusted = {row["pair_id"] for step in ("construct/pairs", "t2i/pairs") for row in rows_of(finished, step)}
    assert {row["pair_id"] for row in rows_of(finished, "iter-01/pairs")} == kept | trusted
    told = json.loads((finished / "iter-01" / "iteration.json").read_text())
    assert told["training_pairs"] == len(kept | trusted)
    assert told["next"] == "stop: iterations=1"


def test_a_second_call_does_nothing_and_leaves_the_summary(finished: Path) -> None:
    before, hashes = (finished / "summary.json").read_bytes(), hashes_of(finished)
    told = run_loop(finished.parent)
    assert told.returncode == 0, told.stderr
    assert (finished / "summary.json").read_bytes() == before
    assert hashes_of(finished) == hashes


def test_a_changed_setting_on_a_finished_run_is_refused_with_what_differs(finished: Path) -> None:
    told = run_loop(finished.parent, "curate.flip.share=0.4")
    assert told.returncode == 2
    assert "iter-01/flips" in told.stderr
    assert "share: 0.5 -> 0.4" in told.stderr
    assert "name=NAME" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_run_whose_driver_is_killed_goes_on_and_ends_with_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    """The first half of the run is done when its driver is started, and killed in the training that checks labels."""
    run = tmp_path / "smoke"
    copy_steps(finished, run, lambda step: not step.startswith("iter-01/") or "voter" in step)
    driver = subprocess.Popen(
        [*COMMAND, f"root={tmp_path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    folder = run / "iter-01" / "consistency" / "train"
    wait_for_steps(folder, 2 * CHECKPOINT_EVERY + 1, driver)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    taken = training_log(folder)[:CHECKPOINT_EVERY]
    done = {path: path.stat().st_mtime_ns for path in run.rglob("manifest.json")}
    assert run / "iter-01" / "voted" / "manifest.json" in done
    assert run / "iter-01" / "consistency" / "train" / "manifest.json" not in done
    told = run_loop(tmp_path)
    assert told.returncode == 0, told.stderr
    assert all(path.stat().st_mtime_ns == changed for path, changed in done.items())
    assert hashes_of(run) == hashes_of(finished)
    # Their seconds would differ if the steps before the checkpoint had been taken again.
    assert training_log(folder)[:CHECKPOINT_EVERY] == taken


def wait_for_steps(train: Path, steps: int, process: subprocess.Popen) -> None:
    """Until a training has taken so many steps."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if len(training_log(train)) >= steps:
            return
        assert process.poll() is None, "the run ended before it could be disturbed"
        time.sleep(0.02)
    raise AssertionError(f"no {steps} steps in {train}")


def training_log(train: Path) -> list[dict]:
    """The steps that the log of a train step tells of."""
    logs = list(train.glob(f"*/{TRAINING_LOG}"))
    return read_training_log(str(logs[0].parent)) if logs else []


def test_other_workers_and_batch_sizes_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    """Everything but the trainings is made again, elsewhere and otherwise cut."""
    run = tmp_path / "smoke"
    copy_steps(finished, run, lambda step: step.endswith("train"))
    told = run_loop(tmp_path, *OTHERWISE)
    assert told.returncode == 0, told.stderr
    assert hashes_of(run) == hashes_of(finished)


OTHERWISE = (
    "max_concurrent_steps=1",
    "placement.default={engine: local, batch_rows: 7}",
    "placement.generate={engine: local, cpus: 1, batch_rows: 3}",
    "placement.score={engine: ray, workers: 2, batch_rows: 5}",
    "placement.listwise={engine: ray, workers: 2, batch_rows: 4}",
)
"""Where the smoke run is placed in another way."""
