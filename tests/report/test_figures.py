import re
from typing import Any

import pytest

from dt2it_ray.report.accuracy import benchmarks_of, mean_lines, models_measured
from dt2it_ray.report.build import build_page
from dt2it_ray.report.content import Curation, ReportContent, StepLine, Truth
from dt2it_ray.report.headlines import duration, headlines


def page_content(summary: dict[str, Any], **more: Any) -> ReportContent:
    return ReportContent(name="demo", summary=summary, steps=[], settings={}, provenance={}, **more)


def summary(**means: float) -> dict[str, Any]:
    told = {"accuracy": 0.8, "interval": [0.7, 0.9], "n": 50, "categories": {"mcq": {"n": 50, "accuracy": 0.8}}}
    return {
        "benchmarks": {
            model.replace("iter_", "iter-"): {"bench": told, "mean_accuracy": m} for model, m in means.items()
        }
    }


def test_the_baseline_comes_first() -> None:
    assert models_measured(summary(iter_00=0.8, iter_01=0.9, raw_baseline=0.7)) == [
        "raw_baseline",
        "iter-00",
        "iter-01",
    ]


def test_tables_have_a_cell_per_model_and_gaps_where_nobody_measured() -> None:
    told = summary(raw_baseline=0.7, iter_00=0.8)
    told["benchmarks"]["iter-00"]["bench"] = {"accuracy": 0.9, "n": 50}
    (bench,) = benchmarks_of(told)
    assert [cell.value for cell in bench.total.cells] == ["0.800", "0.900"]
    assert [cell.interval for cell in bench.total.cells] == ["0.700 to 0.900", ""]
    assert [(line.heading, [cell.value for cell in line.cells]) for line in bench.categories] == [
        ("mcq", ["0.800", ""])
    ]
    assert [(line.heading, [cell.value for cell in line.cells]) for line in mean_lines(told)] == [
        ("Mean of the benchmarks", ["0.700", "0.800"])
    ]
    assert bench.total.pairs == "50"


def test_both_means_are_shown_where_both_are_told() -> None:
    told = summary(iter_00=0.8)
    told["benchmarks"]["iter-00"]["pooled_accuracy"] = 0.76
    assert [(line.heading, line.cells[0].value) for line in mean_lines(told)] == [
        ("Mean of the benchmarks", "0.800"),
        ("All pairs of all benchmarks", "0.760"),
    ]


def test_ties_and_unscored_pairs_are_shown_where_there_are_any() -> None:
    told = summary(raw_baseline=0.7, iter_00=0.8)
    told["benchmarks"]["raw_baseline"]["bench"] = {"accuracy": 0.8, "ties": 0, "unscored": 0}
    told["benchmarks"]["iter-00"]["bench"] = {"accuracy": 0.8, "ties": 1200, "unscored": 0}
    (bench,) = benchmarks_of(told)
    assert [(line.heading, [cell.value for cell in line.cells]) for line in bench.further] == [
        ("ties, which count as wrong", ["0", "1,200"])
    ]


def test_perfect_models_can_be_drawn() -> None:
    told = {"benchmarks": {"iter-00": {"bench": {"accuracy": 1.0, "interval": [1.0, 1.0]}, "mean_accuracy": 1.0}}}
    assert 'cx="392"' in benchmarks_of(told)[0].plot


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (48.2, "48.2 s"),
        (60, "1 min 00 s"),
        (372.4, "6 min 12 s"),
        (3599.6, "1 h 00 min"),
        (11_100, "3 h 05 min"),
    ],
)
def test_durations_are_said_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_headlines_compare_with_the_baseline() -> None:
    first = headlines(page_content(summary(raw_baseline=0.8, iter_00=0.85, iter_01=0.912)))[0]
    assert (first.value, first.note) == (
        "0.912",
        "iter-01, +11.2 points against 0.800 from the trusted pairs and the raw pool",
    )


def test_only_the_last_iteration_makes_headlines() -> None:
    counts = {"source": "", "pairs": 100, "wrong": 30, "removed": 2, "spoilt": 1, "lost": 2}
    truths = [Truth(name=f"iter-0{n}", repaired=repaired, **counts) for n, repaired in ((1, 10), (2, 25))]
    values = {headline.label: headline.value for headline in headlines(page_content({}, truths=truths))}
    assert values == {"Wrong labels caught": "90.0%", "Changes justified": "90.0%", "Label noise left": "4.2%"}


def test_a_truth_without_wrong_labels_or_changes_has_no_shares() -> None:
    nothing = Truth(name="iter-01", source="clean", pairs=5, wrong=0, repaired=0, removed=0, spoilt=0, lost=0)
    assert (nothing.recall, nothing.precision, nothing.noise_after) == (None, None, 0.0)


def test_an_empty_run_has_a_page() -> None:
    page = build_page(page_content({}))
    assert "<h1>demo</h1>" in page
    assert "No step refused a row." in page
    assert "no part that stands in" in page


def test_what_is_simulated_is_told_beside_the_figures() -> None:
    decided = Curation(name="iter-01", by_source=[], by_rule=[], examples=[])
    told = summary(iter_00=0.8) | {"simulated_parts": ["judges", "benchmarks"], "wall_s": 3.0}
    page = build_page(page_content(told, curations=[decided]))
    line = '<p class="simulated">Simulated: judges, benchmarks; see the <a href="#simulated">last section</a>.</p>'
    places = [match.start() for match in re.finditer(re.escape(line), page)]
    assert len(places) == 3
    before_each = [page.index('class="headlines"'), page.index('id="accuracy"'), page.index('id="curation"')]
    assert sorted([*places, *before_each]) == [
        place for pair in zip(before_each, places, strict=True) for place in pair
    ]
    assert 'class="simulated"' not in build_page(page_content(summary(iter_00=0.8)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"evaluate": {"level": 0.9}}, "90&nbsp;% bootstrap\nintervals"), ({}, "Whiskers are bootstrap\nintervals")],
)
def test_intervals_have_the_level_that_was_used_or_none(settings: dict[str, Any], words: str) -> None:
    page = build_page(ReportContent(name="x", summary=summary(iter_00=0.8), steps=[], settings=settings, provenance={}))
    assert words in page
    assert "95" not in page[page.index('id="accuracy"') : page.index('id="dropped"')]


def test_rows_that_a_step_skipped_or_dropped_are_told_beside_those_it_read() -> None:
    step = StepLine(name="s", rows_in=144, rows_out=80, skipped=124, dropped=0, wall_s=2.0, rows_per_s=72.0)
    page = build_page(ReportContent(name="x", summary={}, steps=[step], settings={}, provenance={}))
    assert "<td>144<small>124 skipped</small></td><td>80</td>" in page


def test_memory_is_that_of_all_calls() -> None:
    (cost,) = headlines(page_content({"wall_s": 61.0, "peak_rss_mib": 4096.0}))
    assert (cost.label, cost.value, cost.note) == (
        "Time of all calls",
        "1 min 01 s",
        "with up to 4.0 GiB of memory in use",
    )


def test_a_hostile_name_is_escaped() -> None:
    content = ReportContent(name="<script>", summary={}, steps=[], settings={}, provenance={"commit": "<b>"})
    page = build_page(content)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Code &lt;b&gt;" in page
