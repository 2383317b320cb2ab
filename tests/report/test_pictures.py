import math
import re

import numpy as np
import pyarrow as pa
import pytest

from dt2it_ray.report.axes import Scale, ticks
from dt2it_ray.report.content import Construction, Round, Strengths
from dt2it_ray.report.loop import round_picture, start_picture
from dt2it_ray.report.plots import Measured, Series, accuracy_plot, histogram_plot
from dt2it_ray.report.strengths import constructed_panel, pool_panel
from dt2it_ray.report.svg import tag, text
from dt2it_ray.report.thumbnails import data_uri
from tests.pipeline.fake_run import picture


def test_words_and_attributes_are_escaped() -> None:
    assert text(1, 2.5, "<b>&") == '<text x="1" y="2.5" text-anchor="start">&lt;b&gt;&amp;</text>'
    assert tag("g", class_='"><script>') == '<g class="&#34;&gt;&lt;script&gt;"></g>'


def test_values_outside_a_scale_sit_on_its_edge() -> None:
    scale = Scale(0.5, 1.0, 100, 200)
    assert [scale.at(value) for value in (0.2, 0.5, 0.75, 1.0, 7)] == [100, 100, 150, 200, 200]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.5, 1.0, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]), (-3, 4, [-2, 0, 2, 4]), (0, 1000, [0, 200, 400, 600, 800, 1000])],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


def test_an_accuracy_is_drawn_where_the_scale_says() -> None:
    drawn = accuracy_plot("bench", [Measured("iter-01", 0.75, 0.7, 0.8, "curated")], 0.5, reference=0.5)
    assert '<circle cx="248" cy="27" r="5" class="dot curated">' in drawn
    assert '<line x1="104" y1="8" x2="104" y2="42" class="reference">' in drawn
    assert "Accuracy on bench: iter-01 0.750 (0.700 to 0.800)" in drawn


def test_a_histogram_counts_every_finite_value() -> None:
    values = np.array([-1.0] * 3 + [1.0] * 5 + [math.nan])
    heights = [
        float(h)
        for h in re.findall(r'<rect [^>]*height="([\d.]+)"', histogram_plot("d", "x", [Series("right", values)]))
    ]
    assert heights == [90.0, 150.0]


def test_counts_are_told_at_whole_numbers() -> None:
    drawn = histogram_plot("d", "x", [Series("right", np.array([-1.0] * 9 + [1.0]))])
    assert re.findall(r'text-anchor="end" class="tick">([^<]*)<', drawn) == ["0", "5"]


def test_one_outlier_hides_nothing() -> None:
    values = np.concatenate([np.linspace(-1, 1, 1000), [1e6]])
    assert histogram_plot("d", "x", [Series("right", values)]).count("<rect") == 40


@pytest.mark.parametrize("values", [[], [math.nan]])
def test_no_values_draw_nothing(values: list[float]) -> None:
    assert histogram_plot("d", "x", [Series("right", np.array(values, float))]) == ""


def test_equal_values_draw_one_bar() -> None:
    assert histogram_plot("d", "x", [Series("right", np.array([2.0, 2.0]))]).count("<rect") == 1


def test_pool_strengths_are_split_by_planted_truth() -> None:
    known = [True, True, False, False, None]
    strengths = pa.chunked_array([pa.array([-2.0, None, 1.0, -1.0, 3.0])])
    panel = pool_panel(
        Strengths(name="iter-01", strengths=strengths, planted=pa.chunked_array([pa.array(known)]), threshold=-1.5)
    )
    assert panel is not None
    assert {(group.name, group.pairs, group.negative) for group in panel.groups} == {
        ("planted wrong", 1, 1),
        ("planted right", 2, 1),
        ("truth not known", 1, 0),
    }
    assert "threshold -1.50" in panel.plot


def test_no_constructed_pairs_no_panel() -> None:
    assert constructed_panel(pa.chunked_array([], pa.float64())) is None


def test_the_loop_names_every_count() -> None:
    counts = Round(
        name="iter-01",
        voters=1,
        pool=1000,
        flipped_by_vote=80,
        doubted=300,
        consistent={"kept": 630, "flipped": 70, "dropped": 0},
        rejudged={"kept": 200, "flipped": 60, "dropped": 40},
        trusted=500,
        merged=1460,
    )
    words = re.findall(r"<text[^>]*>([^<]*)</text>", round_picture(counts))
    expected = {"1,000 pairs", "1 voter vote", "80 flipped", "300 doubted", "700", "70 flipped", "260 settled"}
    assert expected | {"60 flipped", "40 dropped", "500 trusted", "1,460 pairs"} <= set(words)


def test_a_start_that_tells_nothing_is_still_drawn() -> None:
    unknown = dict.fromkeys(
        ("prompts", "answered", "listwise", "pointwise", "compared", "agreed", "pairs", "t2i", "t2i_first", "trusted")
    )
    drawn = start_picture(Construction(model="iter-00", **unknown))
    assert "None" not in drawn
    assert "Train iter-00" in drawn


def test_images_become_data_uris_and_broken_ones_none() -> None:
    uri = data_uri(picture())
    assert uri is not None
    assert uri.startswith("data:image/png;base64,")
    assert data_uri(picture()[:40]) is None
    assert data_uri(b"<svg onload=alert(1)>") is None
