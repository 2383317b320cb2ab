from dt2it_ray.rules.judge_figures import Judged, judge_figures, votes_of
from dt2it_ray.rules.votes import Verdict

GOOD, BAD, TIE, NONE = Verdict.CHOSEN, Verdict.REJECTED, Verdict.TIE, Verdict.INVALID


def row(*verdicts: Verdict) -> list[Judged]:
    """Verdicts in turns: the chosen answer first, then second, then first again..."""
    return [
        Judged(swapped=bool(place % 2), verdict=verdict, sample=place // 2) for place, verdict in enumerate(verdicts)
    ]


def test_votes_are_lost_with_any_verdict() -> None:
    assert votes_of(row(GOOD, BAD, GOOD, TIE)) == (2.5, 1.5)
    assert votes_of(row(GOOD, NONE)) is None
    assert votes_of([]) is None


def test_figures_by_hand() -> None:
    rows = [row(GOOD, GOOD), row(GOOD, BAD), row(BAD, BAD), row(GOOD, NONE), row(TIE, GOOD)]
    told = judge_figures(rows, ["a", "a", "b", "b", "b"])
    assert (told["verdicts"], told["unparsable"], told["tied_verdicts"]) == (10, 1, 1)
    assert told["verdict_accuracy_dropped"] == 5 / 9
    assert told["verdict_accuracy_wrong"] == 5 / 10
    assert told["verdict_accuracy_by_order"] == {"chosen_first": 3 / 5, "chosen_second": 2 / 4}
    assert told["position_consistency"] == 2 / 4
    # First shown: the chosen one in 1, 2, 4; the rejected one, which stands first when swapped, in 2 and 3.
    assert told["first_shown_preferred"] == 5 / 8
    majority = told["majority_dropped"]
    assert (majority["accuracy"], majority["n"], majority["dropped"], majority["undecided"]) == (2 / 3, 3, 1, 1)
    assert {name: entry["accuracy"] for name, entry in majority["categories"].items()} == {"a": 1.0, "b": 0.5}
    assert majority["macro_accuracy"] == 0.75


def test_a_judge_that_always_takes_the_first_is_never_steady() -> None:
    told = judge_figures([row(GOOD, BAD)] * 4, ["a"] * 4)
    assert (told["position_consistency"], told["first_shown_preferred"]) == (0.0, 1.0)
    assert told["majority_dropped"]["undecided"] == 4
    assert told["majority_dropped"]["accuracy"] is None
