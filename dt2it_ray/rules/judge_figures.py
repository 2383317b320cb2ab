"""How a generative judge did on pairs that it saw in both orders: votes, steadiness, and what was unparsable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.rules.votes import Verdict

Rewards = tuple[float, float]


@dataclass(frozen=True)
class Judged:
    """One reply about one pair: whether the better answer was shown second, and the verdict on the pair."""

    swapped: bool
    verdict: Verdict
    sample: int = 0
    """Which of several replies in the same order."""


def votes_of(judged: Sequence[Judged]) -> Rewards | None:
    """Votes for the chosen and the rejected answer, half to each for a tie; None where there is no reply or any reply
    has no verdict."""
    if not judged or any(one.verdict == Verdict.INVALID for one in judged):
        return None
    counts = Counter(one.verdict for one in judged)
    halves = counts[Verdict.TIE] / 2
    return counts[Verdict.CHOSEN] + halves, counts[Verdict.REJECTED] + halves


def judge_figures(rows: Sequence[Sequence[Judged]], categories: Sequence[str]) -> dict[str, Any]:
    """Figures over all replies, and those of majorities as cal.py of VL_RewardBench counts them: rows with an
    unparsable verdict and rows without a majority are left out. `categories` run beside `rows`."""
    replies = [one for row in rows for one in row]
    valid = [one for one in replies if one.verdict != Verdict.INVALID]
    right = sum(one.verdict == Verdict.CHOSEN for one in valid)
    majorities = [votes_of(row) for row in rows]
    names = sorted(set(categories))
    by_category = {
        name: _majority([votes for votes, category in zip(majorities, categories, strict=True) if category == name])
        for name in names
    }
    decided = [entry["accuracy"] for entry in by_category.values() if entry["accuracy"] is not None]
    return {
        "verdicts": len(replies),
        "unparsable": len(replies) - len(valid),
        "tied_verdicts": sum(one.verdict == Verdict.TIE for one in valid),
        "verdict_accuracy_dropped": _share(right, len(valid)),
        "verdict_accuracy_wrong": _share(right, len(replies)),
        "verdict_accuracy_by_order": {
            name: _share(*_right_in(valid, swapped))
            for name, swapped in (("chosen_first", False), ("chosen_second", True))
        },
        "first_shown_preferred": _share(*_first_preferred(valid)),
        "position_consistency": _share(*_steady(rows)),
        "majority_dropped": {
            **_majority(majorities),
            "macro_accuracy": sum(decided) / len(decided) if decided else None,
            "categories": by_category,
        },
    }


def _majority(votes: Sequence[Rewards | None]) -> dict[str, Any]:
    whole = [each for each in votes if each is not None]
    right, wrong = (sum(each[side] > each[1 - side] for each in whole) for side in (0, 1))
    return {
        "accuracy": _share(right, right + wrong),
        "n": right + wrong,
        "correct": right,
        "dropped": len(votes) - len(whole),
        "undecided": len(whole) - right - wrong,
    }


def _right_in(valid: Sequence[Judged], swapped: bool) -> tuple[int, int]:
    here = [one for one in valid if one.swapped == swapped]
    return sum(one.verdict == Verdict.CHOSEN for one in here), len(here)


def _first_preferred(valid: Sequence[Judged]) -> tuple[int, int]:
    """Of verdicts that are no tie, how many prefer the answer shown first."""
    sided = [one for one in valid if one.verdict != Verdict.TIE]
    return sum((one.verdict == Verdict.CHOSEN) != one.swapped for one in sided), len(sided)


def _steady(rows: Sequence[Sequence[Judged]]) -> tuple[int, int]:
    """Of replies in both orders that both have a verdict, how many have the same."""
    same = both = 0
    for row in rows:
        by_order = {(one.sample, one.swapped): one.verdict for one in row if one.verdict != Verdict.INVALID}
        for sample in sorted({one.sample for one in row}):
            verdicts = [by_order.get((sample, swapped)) for swapped in (False, True)]
            both += None not in verdicts
            same += None not in verdicts and verdicts[0] == verdicts[1]
    return same, both


def _share(hits: int, total: int) -> float | None:
    return hits / total if total else None
