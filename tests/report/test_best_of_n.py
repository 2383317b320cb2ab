from dt2it_ray.report.best_of_n import build_curve_page, curve_plot
from dt2it_ray.rules.best_of_n import Answered, best_of_n
from dt2it_ray.rules.intervals import Resampling
from tests.report.test_leaderboard import Reader

TOLD = best_of_n([Answered([0, 1, 2, k], [0, 1, 2, 3]) for k in range(12)], Resampling(samples=200))


def test_the_drawing_has_three_lines_and_a_band_and_says_its_last_values() -> None:
    drawn = curve_plot(TOLD["curve"], "kl", "KL in nats")
    assert drawn.count("<polyline") == 3
    assert drawn.count("<polygon") == 1
    last = TOLD["curve"][-1]
    assert f"at n = 4: oracle {last['oracle']['value']:.4g}, picked {last['picked']['value']:.4g}" in drawn


def test_the_page_is_whole_and_warns_of_over_optimisation() -> None:
    reader = Reader()
    reader.feed(build_curve_page(TOLD))
    assert reader.open == []
    assert "<b>Over-optimised" not in build_curve_page(TOLD)
    fallen = best_of_n([Answered([1, 2, -9 - k], [0, 1, 2]) for k in range(12)], Resampling(samples=200))
    assert "<b>Over-optimised: quality falls by" in build_curve_page(fallen)


def test_one_answer_and_none_make_pages_too() -> None:
    assert "n = 1" in build_curve_page(best_of_n([Answered([3], [1])], Resampling()))
    assert "No prompt has enough answers" in build_curve_page(best_of_n([], Resampling()))
