"""The whole loop as a user runs it, at the smallest size: its results, its resumption, its refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "jobs" / "iterate.py"), "--config", str(ROOT / "jobs" / "configs" / "smoke.yaml")]
LIMIT_S = 280

pytestmark = [pytest.mark.loop, pytest.mark.timeout(2 * LIMIT_S)]


def run_loop(root: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, f"root={root}", *overrides], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run."""
    root = tmp_path_factory.mktemp("runs")
    told = run_loop(root)
    assert told.returncode == 0, told.stderr
    return root / "smoke"


def summary_of(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def rows_of(run: Path, step: str) -> list[dict]:
    """Rows of a step as its manifest lists them."""
    manifest = json.loads((run / step / "manifest.json").read_text())
    parts = [run / step / manifest["fingerprint"] / file["name"] for file in manifest["files"]]
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def hashes_of(run: Path) -> dict[str, str]:
    """sha256 by file of every sealed table and all weights, as the manifests list them."""
    manifests = [json.loads(path.read_text()) for path in sorted(run.rglob("manifest.json"))]
    return {
        f"{manifest['step']}/{file['name']}": file["sha256"]
        for manifest in manifests
        for file in manifest["files"]
        if file["name"].endswith((".parquet", ".safetensors"))
    }


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
    driver = subprocess.Popen(
        [*COMMAND, f"root={tmp_path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(tmp_path / "smoke" / "iter-00" / "train", "checkpoint", driver)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "smoke").rglob("manifest.json")}
    assert done
    told = run_loop(tmp_path)
    assert told.returncode == 0, told.stderr
    assert all(path.stat().st_mtime_ns == changed for path, changed in done.items())
    assert hashes_of(tmp_path / "smoke") == hashes_of(finished)


def wait_for(folder: Path, part_of_name: str, process: subprocess.Popen) -> None:
    """Until a file or folder with this part in its name is under `folder`."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if any(part_of_name in str(path.relative_to(folder)) for path in folder.rglob("*")):
            return
        assert process.poll() is None, "the run ended before it could be disturbed"
        time.sleep(0.05)
    raise AssertionError(f"nothing called {part_of_name} came up in {folder}")


def test_other_workers_and_batch_sizes_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    """Everything but the trainings is made again, elsewhere and otherwise cut."""
    run = tmp_path / "smoke"
    for manifest in finished.rglob("train/manifest.json"):
        step = manifest.parent
        shutil.copytree(step, run / step.relative_to(finished))
    told = run_loop(tmp_path, *OTHERWISE)
    assert told.returncode == 0, told.stderr
    assert hashes_of(run) == hashes_of(finished)


OTHERWISE = (
    "placement.default={engine: local, batch_rows: 7}",
    "placement.generate={engine: local, cpus: 1, batch_rows: 3}",
    "placement.score={engine: ray, workers: 2, batch_rows: 5}",
    "placement.listwise={engine: ray, workers: 2, batch_rows: 4}",
)
"""Where the smoke run is placed in another way."""
