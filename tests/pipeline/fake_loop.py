"""One finished iteration of a fake run, and whole fake runs."""

from collections.abc import Mapping
from typing import Any

from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import DECISIONS, DOUBTED, PAIRS, SCORES, VOTES
from tests.pipeline.fake_run import FakeRun, add_baseline, add_pool, add_start, measured, pool


def add_iteration(fake: FakeRun, name: str, accuracy: float, truth: bool = True, copies: int = 1) -> None:
    """One iteration that ends as FATES says; without `truth` nobody knows which labels are wrong."""
    noisy = pool(copies)
    for voter in ("voter-0", "voter-1", "consistency"):
        scores = [score for row in noisy for score in _scores(row)]
        fake.add(f"{name}/score-{voter}", "score", {"rows": "open/rows"}, scores, SCORES)
    votes_on = [row for row in noisy if row["rule"] != "consistent"]
    voters = {f"scores/{voter}": f"{name}/score-{voter}" for voter in ("voter-0", "voter-1")}
    fake.add(f"{name}/flips", "flips", {"pairs": "open/pairs", **voters})
    doubted = [{"prompt_id": row["prompt_id"], "pairs": [_sides(row)]} for row in votes_on]
    fake.add(f"{name}/doubted", "doubted", {"flips": f"{name}/flips"}, doubted, DOUBTED)
    for judge in ("rejudge-0", "rejudge-1"):
        votes = [vote for row in votes_on for vote in _votes(row) if vote["judge"] == judge]
        read = {"rows": "open/rows", "doubted": f"{name}/doubted"}
        fake.add(f"{name}/rejudge/{judge}", "rejudge", read, votes, VOTES)
    decided = [_decision(row, truth) for row in noisy]
    known = {"recall": 0.875, "precision": 7 / 9} if truth else {"recall": None, "precision": None}
    figures = {"planted": known}
    fake.add(f"{name}/decisions", "decisions", {"flips": f"{name}/flips"}, decided, DECISIONS, metrics=figures)
    left = [row for row in decided if row["action"] != "dropped"]
    merged = [{column: row.get(column) for column in PAIRS.names} for row in left]
    fake.add(f"{name}/pairs", "merge", {"pairs/open": f"{name}/decisions"}, merged, PAIRS)
    fake.add(f"{name}/train", "train", {"pairs": f"{name}/pairs"})
    fake.add(f"{name}/evaluate", "evaluate", {}, metrics=measured(accuracy))


def _sides(row: Mapping[str, Any]) -> dict[str, str]:
    return {column: row[column] for column in ("pair_id", "chosen_id", "rejected_id")}


def _scores(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    halves = ((row["chosen_id"], row["strength"] / 2), (row["rejected_id"], -row["strength"] / 2))
    return [{"answer_id": answer, "prompt_id": row["prompt_id"], "score": score} for answer, score in halves]


def _votes(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    said = {
        ("flipped", "votes"): ("rejected", "rejected"),
        ("kept", "votes"): ("chosen", "tie"),
        ("dropped", "votes_tied"): ("chosen", "rejected"),
        ("dropped", "too_few_votes"): ("invalid", "invalid"),
    }[row["action"], row["rule"]]
    return [
        {
            "vote_id": content_id(row["pair_id"], judge, int(swapped)),
            "pair_id": row["pair_id"],
            "prompt_id": row["prompt_id"],
            "judge": judge,
            "swapped": swapped,
            "verdict": verdict,
            "attempts": 3 if verdict == "invalid" else 1,
            "evidence": "not JSON" if verdict == "invalid" else None,
        }
        for judge in ("rejudge-0", "rejudge-1")
        for swapped, verdict in zip((False, True), said, strict=True)
    ]


def _decision(row: Mapping[str, Any], truth: bool) -> dict[str, Any]:
    flipped, votes = row["action"] == "flipped", [vote["verdict"] for vote in _ballots(row)]
    ties = votes.count("tie") / 2
    turned = {"chosen_id": row["rejected_id"], "rejected_id": row["chosen_id"]} if flipped else {}
    asked = {
        "votes_chosen": votes.count("chosen") + ties,
        "votes_rejected": votes.count("rejected") + ties,
        "valid_votes": len(votes) - votes.count("invalid"),
    }
    return {
        **row,
        **turned,
        **(asked if votes else {}),
        "flipped": flipped,
        "vote_strength": row["strength"],
        "voter_strengths": [row["strength"]] * 2,
        "flip_threshold": -0.5,
        "flipped_by_vote": row["strength"] <= -0.5,
        "consistency_strength": row["strength"],
        "planted_flip": row["planted_flip"] if truth else None,
    }


def _ballots(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [] if row["rule"] == "consistent" else _votes(row)


def whole_run(folder: str, iterations: int = 2, baseline: bool = True, truth: bool = True, copies: int = 1) -> FakeRun:
    """A run with everything, or without some parts; `finish` has been called."""
    fake = FakeRun(folder)
    add_start(fake)
    add_pool(fake, copies)
    if baseline:
        add_baseline(fake, copies)
    for iteration in range(1, iterations + 1):
        add_iteration(fake, f"iter-{iteration:02d}", 0.88 + 0.03 * iteration, truth, copies)
    fake.finish()
    return fake
