"""One iteration of curation on eight pairs, and what it leaves of them."""

import pyarrow as pa

from dt2it_ray.data.schema import PAIRS
from dt2it_ray.stages.curate import (
    DecideSettings,
    FlipSettings,
    flip,
    merge,
    select_doubted,
    settle,
    survive,
    take_voted,
)
from dt2it_ray.stages.labels import explode_labels
from dt2it_ray.stages.stage import NoSettings
from tests.stages.rows import prompt_row

NUMBERS = range(8)
WRONG = {0, 1, 2, 3}


def pairs() -> pa.Table:
    rows = [
        {
            "pair_id": f"pair-{number}",
            "prompt_id": f"p{number // 2}",
            "chosen_id": f"c{number}",
            "rejected_id": f"r{number}",
            "source": "toy",
            "strength": None,
            "planted_flip": number in WRONG,
        }
        for number in NUMBERS
    ]
    return pa.Table.from_pylist(rows, schema=PAIRS)


def scores(strengths: dict[int, float]) -> pa.Table:
    """Scores that give pair `number` the strength told, 1 where none is told."""
    answers = [f"c{number}" for number in NUMBERS] + [f"r{number}" for number in NUMBERS]
    return pa.table({"answer_id": answers, "score": [strengths.get(n, 1.0) for n in NUMBERS] + [0.0] * 8})


def votes(told: dict[int, str]) -> pa.Table:
    rows = [
        {"vote_id": f"{n}{judge}{swapped}", "pair_id": f"pair-{n}", "prompt_id": f"p{n // 2}", "judge": judge}
        | {"swapped": swapped, "verdict": verdict, "attempts": 1}
        for n, verdict in told.items()
        for judge in ("a", "b")
        for swapped in (False, True)
    ]
    return pa.Table.from_pylist(rows)


def voted() -> pa.Table:
    voters = {"scores/voter-0": scores({0: -4, 1: -3, 2: -2, 4: -1}), "scores/voter-1": scores({0: -4, 1: -3, 2: -2})}
    return flip({"pairs": pairs(), **voters}, FlipSettings()).rows


def test_the_worst_half_of_the_negative_pairs_is_flipped() -> None:
    table = voted().to_pydict()
    assert dict(zip(table["pair_id"], table["flipped_by_vote"], strict=True)) == {
        f"pair-{number}": number == 0 for number in NUMBERS
    }
    assert table["vote_strength"][:5] == [-4, -3, -2, 1, 0]
    chosen = take_voted({"flips": voted()}, NoSettings()).rows.to_pydict()["chosen_id"]
    assert chosen == ["r0", *(f"c{number}" for number in NUMBERS if number)]


def test_pairs_that_the_checking_model_does_not_confirm_are_listed_by_prompt() -> None:
    check = scores({0: -2, 1: -2, 3: -1, 4: 0})
    doubted = select_doubted({"flips": voted(), "scores": check}, NoSettings()).rows.to_pylist()
    listed = {row["prompt_id"]: [pair["pair_id"] for pair in row["pairs"]] for row in doubted}
    assert listed == {"p0": ["pair-1"], "p1": ["pair-3"], "p2": ["pair-4"]}


def test_votes_settle_what_is_doubted_and_planted_truth_is_measured() -> None:
    check = scores({0: -2, 1: -2, 3: -1, 4: 0})
    said = votes({1: "rejected", 3: "chosen", 4: "tie"})
    outcome = settle({"flips": voted(), "scores": check, "votes/j": said}, DecideSettings(required_votes=4))
    told = {row["pair_id"]: (row["action"], row["rule"]) for row in outcome.rows.to_pylist()}
    assert told == {
        "pair-0": ("flipped", "consistent"),
        "pair-1": ("flipped", "votes"),
        "pair-2": ("kept", "consistent"),
        "pair-3": ("kept", "votes"),
        "pair-4": ("dropped", "votes_tied"),
        **{f"pair-{number}": ("kept", "consistent") for number in (5, 6, 7)},
    }
    assert outcome.metrics["planted"] == {"recall": 2 / 4, "precision": 2 / 3}
    assert outcome.metrics["actions"] == {"flipped": 2, "kept": 5, "dropped": 1}
    survivors = survive({"decisions": outcome.rows}, NoSettings()).rows.to_pydict()
    assert dict(zip(survivors["pair_id"], survivors["chosen_id"], strict=True)) == {
        "pair-0": "r0",
        "pair-1": "r1",
        **{f"pair-{number}": f"c{number}" for number in (2, 3, 5, 6, 7)},
    }


def test_merging_keeps_every_pair_of_every_input() -> None:
    table = pairs()
    merged = merge({"pairs/open": table.slice(4), "pairs/construct": table.slice(0, 4)}, NoSettings()).rows
    assert merged.equals(table)


def test_labels_become_pairs_without_a_strength() -> None:
    row = prompt_row("p", ("yes", "no", "maybe"))
    yes, no, maybe = (answer["answer_id"] for answer in row["answers"])
    row["labels"] = [
        {"pair_id": "one", "chosen_id": yes, "rejected_id": no, "planted_flip": True},
        {"pair_id": "two", "chosen_id": maybe, "rejected_id": no, "planted_flip": None},
    ]
    rows = pa.Table.from_pylist([row, prompt_row("q", ("a", "b"))]).select(["prompt_id", "source", "labels"])
    table = explode_labels({"rows": rows}, NoSettings()).rows.to_pylist()
    assert [(pair["pair_id"], pair["prompt_id"], pair["chosen_id"], pair["planted_flip"]) for pair in table] == [
        ("one", "p", yes, True),
        ("two", "p", maybe, None),
    ]
    assert [pair["strength"] for pair in table] == [None, None]
