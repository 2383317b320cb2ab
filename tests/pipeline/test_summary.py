import dataclasses
from pathlib import Path

import pytest

from dt2it_ray.pipeline.run_record import read_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.summary import busy_s, rows_per_s, rows_read, summarise
from dt2it_ray.store.manifest import Manifest, read_manifest
from tests.pipeline.fake_loop import whole_run
from tests.pipeline.fake_run import SETTINGS, FakeRun, add_pool


def test_a_whole_run_tells_every_figure_that_outside_checks_rely_on(tmp_path: Path) -> None:
    fake = whole_run(str(tmp_path))
    manifests = read_run(fake.run).manifests
    told = summarise(fake.run, SETTINGS, manifests, wall_s=12.34567, peak_rss_mib=800.04)
    assert (told["wall_s"], told["peak_rss_mib"]) == (12.346, 800.0)
    assert told["rows"]["iter-01/decisions"] == 33
    assert told["rows"]["iter-02/pairs"] == 31
    assert told["rows_per_s"]["construct/generate"] == 1.5
    assert list(told["benchmarks"]) == ["iter-00", "raw_baseline", "iter-01", "iter-02"]
    assert told["benchmarks"]["raw_baseline"]["vl_reward_bench"]["accuracy"] == 0.78
    assert told["benchmarks"]["iter-02"]["mean_accuracy"] == pytest.approx(0.89)
    assert (told["planted"]["recall"], told["planted"]["precision"]) == (0.875, 7 / 9)
    assert list(told["planted"]["by_iteration"]) == ["iter-01", "iter-02"]
    assert (told["t2i"]["chosen_first"], told["t2i"]["rows"]) == (1, 2)


def test_decisions_are_counted_by_action_and_rule(tmp_path: Path) -> None:
    fake = whole_run(str(tmp_path), iterations=1)
    told = summarise(fake.run, SETTINGS, read_run(fake.run).manifests, 1, 1)["decisions"]["iter-01"]
    assert told == {
        "kept": {"consistent": 22, "votes": 1},
        "flipped": {"consistent": 5, "votes": 3},
        "dropped": {"too_few_votes": 1, "votes_tied": 1},
    }


def test_what_a_run_does_not_have_is_empty_or_null(tmp_path: Path) -> None:
    fake = FakeRun(str(tmp_path))
    add_pool(fake)
    told = fake.finish()
    assert told["benchmarks"] == {}
    assert told["planted"] == {"recall": None, "precision": None, "by_iteration": {}}
    assert told["t2i"] == {"chosen_first": 0, "rows": 0, "by_source": {}}
    assert told["decisions"] == {}


def test_only_the_parts_of_the_run_are_called_simulated(tmp_path: Path) -> None:
    fake = FakeRun(str(tmp_path))
    add_pool(fake)
    told = fake.finish()
    assert [sentence.split()[1] for sentence in told["simulated"]] == ["noisy"]
    assert told["simulated_parts"] == ["open data sets"]


def test_a_part_is_named_in_short_and_explained_at_length(tmp_path: Path) -> None:
    told = whole_run(str(tmp_path)).finish()
    named = ["open data sets", "construction prompts", "text-to-image preferences", "judges", "benchmarks"]
    assert told["simulated_parts"] == named
    assert len(told["simulated"]) == len(named) + 1  # what the tiny model is


@pytest.mark.parametrize(("backbone", "small"), [("tiny", True), ("/models/Qwen3-VL-4B", False)])
def test_only_the_tiny_model_is_called_small(tmp_path: Path, backbone: str, small: bool) -> None:
    fake = whole_run(str(tmp_path), iterations=0)
    settings = RunSettings(name="demo", backbone=backbone)
    told = summarise(fake.run, settings, read_run(fake.run).manifests, 1, 1)
    assert any("few million parameters" in sentence for sentence in told["simulated"]) == small


def test_the_tiny_model_is_called_fine_tuned_where_it_was(tmp_path: Path) -> None:
    fake = whole_run(str(tmp_path), iterations=0)
    manifests = read_run(fake.run).manifests
    plain, adapted = (
        summarise(fake.run, SETTINGS, made, 1, 1)["simulated"][-1]
        for made in (manifests, {**manifests, "backbone/adapt": manifests["iter-00/train"]})
    )
    assert plain.endswith("learnt from rendered scenes.")
    assert adapted.endswith(
        "learnt from rendered scenes and was then fine-tuned on right answers from the data at hand."
    )


@pytest.mark.parametrize(
    ("iterations", "rejudging", "simulated"), [(0, "annotator", False), (1, "annotator", True), (1, "engine", False)]
)
def test_judges_that_are_chat_models_are_not_called_simulated(
    tmp_path: Path, iterations: int, rejudging: str, simulated: bool
) -> None:
    fake = whole_run(str(tmp_path), iterations=iterations)
    engine = {"engine": {"kind": "endpoint", "endpoint": {"model": "m"}}}
    panel = {"judges": [engine]}
    again = [{"name": f"rejudge-{number}", **(engine if rejudging == "engine" else {})} for number in (0, 1)]
    asked = {"generate": engine, "listwise": panel, "pointwise": panel}
    curate = {"rejudge": {"judges": again}}
    settings = RunSettings.model_validate({"name": "demo", "construction": asked, "curate": curate})
    told = summarise(fake.run, settings, read_run(fake.run).manifests, 1, 1)
    assert ("judges" in told["simulated_parts"]) == simulated
    assert any("annotators" in sentence for sentence in told["simulated"]) == simulated
    assert not any("sampled by" in sentence for sentence in told["simulated"])


def test_a_step_faster_than_the_clock_still_has_a_rate(tmp_path: Path) -> None:
    fake = FakeRun(str(tmp_path))
    add_pool(fake)
    manifest = read_manifest(fake.run, "open/pairs")
    assert manifest is not None
    instant = dataclasses.replace(manifest, provenance={"wall_s": 0.0, "rows_before": 0})
    assert rows_per_s(instant) == 33_000
    resumed = dataclasses.replace(manifest, provenance={"wall_s": 2.0, "rows_before": 23})
    assert rows_per_s(resumed) == 5


def test_rows_without_a_partner_were_read_too(tmp_path: Path) -> None:
    fake = FakeRun(str(tmp_path))
    add_pool(fake)
    manifest = read_manifest(fake.run, "open/pairs")
    assert manifest is not None
    counts = dataclasses.replace(manifest.counts, rows_in=3, skipped=30)
    resumed = dataclasses.replace(manifest, counts=counts, provenance={"wall_s": 2.0, "rows_before": 23})
    assert rows_read(resumed) == 10
    assert rows_per_s(resumed) == 5


def test_time_in_which_several_steps_ran_counts_once(tmp_path: Path) -> None:
    fake = FakeRun(str(tmp_path))
    add_pool(fake)
    manifest = read_manifest(fake.run, "open/pairs")
    assert manifest is not None

    def ran(since: float, until: float) -> Manifest:
        return dataclasses.replace(manifest, provenance={"finished_at": until, "wall_s": until - since})

    assert busy_s([ran(100, 110), ran(103, 106), ran(104, 115), ran(120, 121)]) == 16
    assert busy_s([]) == 0
