"""The page and the Markdown show what was measured, beside what is published, with sources."""

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from dt2it_ray.report.evaluation_text import evaluation_lines, evaluation_markdown
from dt2it_ray.report.leaderboard import board_of, build_leaderboard, published, reliability_plot
from dt2it_ray.rules.benchmark_figures import ScoredPairs, benchmark_figures
from dt2it_ray.rules.intervals import Resampling


def result(name: str = "vl_rewardbench", model: str = "mine", right: int = 8, **rows: Any) -> dict[str, Any]:
    """A result of ten pairs, all of which have longer chosen answers."""
    pairs = ScoredPairs(
        names=[str(place) for place in range(10)],
        categories=["general"] * 5 + ["reasoning"] * 5,
        groups=[str(place // 2) for place in range(10)],
        chosen=[1.0 if place < right else -1.0 for place in range(10)],
        rejected=[0.0] * 10,
        lengths=np.array([[5, 1]] * 10),
    )
    told = {"n": 10, "released_n": [1250], "as_released": False, "refused": {"n": 0, "first": []}} | rows
    figures = benchmark_figures(name, pairs, Resampling(samples=200))
    return {"benchmark": name, "rows": told, "model": model, "kind": "predictions", **figures}


class Reader(HTMLParser):
    """Counts tags that are open, and keeps the rows of tables as texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_categories_that_the_macro_figure_leaves_out_are_a_warning() -> None:
    told = evaluation_lines(result("rewardbench"))
    assert "general, reasoning are in none of the sections of constants.py" in "\n".join(told)


def test_measured_and_published_models_are_sorted_together() -> None:
    board = board_of(result())
    shown = [(entry.model, entry.measured) for entry in board.entries]
    assert shown.index(("mine", True)) == shown.index(("YOJO, Molmo2-4B", False)) + 1
    assert shown[0] == ("DT2IT-MRM", False)
    mine = next(entry for entry in board.entries if entry.measured)
    assert (mine.accuracy, mine.pairs) == (0.8, 10)


def test_every_published_figure_is_a_percentage_with_its_source_and_protocol() -> None:
    figures = [figure for known in published().values() for figure in known["figures"]]
    assert len(figures) == 24
    assert all(50 < figure["value"] <= 100 and figure["source"] and figure["protocol"] for figure in figures)
    by_name = {
        name: {figure["model"]: figure["value"] for figure in published()[name]["figures"]} for name in published()
    }
    assert [by_name[name]["DT2IT-MRM"] for name in sorted(by_name)] == [89.4, 79.3, 83.5]


def test_the_page_is_whole_loads_nothing_and_escapes_names() -> None:
    page = build_leaderboard([result(model="<script>x"), result("mm_rlhf_rewardbench"), result("own")])
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in reader.tags
    assert "&lt;script&gt;x" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "170 pairs of 46 ids" in page


def test_the_page_is_the_same_for_the_same_result() -> None:
    assert build_leaderboard([result()]) == build_leaderboard([result()])


def test_markdown_and_terminal_show_accuracy_interval_and_warnings() -> None:
    told = result(refused={"n": 2, "first": ["x.jsonl row 3, field id: missing"]})
    page = evaluation_markdown(told)
    assert "| mine | 80.00 |" in page
    assert "| reasoning | 5 | 3 | 60.00 |" in page
    assert "| longer by 1 to 30 characters | 10 | 80.00 |" in page
    assert "2 rows cannot be used and are not counted: x.jsonl row 3" in page
    lines = evaluation_lines(told)
    assert lines[0].startswith("mine: accuracy 80.00 [")
    assert lines[1] == "for comparison: longer wins 100.00, shorter 0.00"
    assert "10 rows, while the release has 1,250" in lines[2]


@pytest.mark.parametrize(("name", "cell"), [("a|b", r"a\|b"), ("a\nb", "a b")])
def test_names_do_not_break_tables(name: str, cell: str) -> None:
    assert f"| {cell} | 80.00 |" in evaluation_markdown(result(model=name))


def test_a_dot_of_the_reliability_curve_stands_where_its_bin_says() -> None:
    curve = [{"n": 4, "confidence": 0.75, "accuracy": 0.5}, {"n": 0, "confidence": None, "accuracy": None}]
    drawn = reliability_plot({"curve": curve})
    assert drawn.count("<circle") == 1
    assert "75.00 sure: 50.00 right of 4" in drawn
