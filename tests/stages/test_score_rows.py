"""Scoring of outside rows: a row in, a row out, in order; several models as their mean with disagreement."""

from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data.answered import ANSWERED, SCORED
from dt2it_ray.models.assessment import Assessment
from dt2it_ray.models.ensemble import EnsembleScorer
from dt2it_ray.stages.score_rows import SCORE_PAIRS, score_rows
from tests.stages.rows import ToyScorer


def answered(place: int, *answers: str) -> dict[str, Any]:
    named = {"row_id": f"{place:03}", "file": "rows.jsonl", "row": place, "item": f"item-{place}"}
    return {**named, "images": [], "history": None, "question": "What?", "answers": list(answers)}


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ANSWERED)


class Louder(ToyScorer):
    """As ToyScorer, but each reward is 2 more."""

    def score(self, conversations: Any) -> list[Any]:
        told = super().score(conversations)
        return [reward + 2 if isinstance(reward, float) else reward for reward in told]


def test_rows_keep_their_order_and_answers_theirs() -> None:
    outcome = score_rows(table(answered(2, "three", "one"), answered(1, "fifteen")), ToyScorer())
    assert outcome.rows.schema == SCORED
    told = [(row["row"], row["item"], row["rewards"], row["disagreement"]) for row in outcome.rows.to_pylist()]
    assert told == [(2, "item-2", [5.0, 3.0], None), (1, "item-1", [7.0], None)]


def test_a_pair_has_the_reward_of_its_better_answer_first() -> None:
    row = {name: value for name, value in answered(1).items() if name != "answers"}
    pair = pa.Table.from_pylist([row | {"chosen": "three", "rejected": "one"}], schema=SCORE_PAIRS.reads)
    assert score_rows(pair, ToyScorer()).rows["rewards"].to_pylist() == [[5.0, 3.0]]


def test_a_row_of_which_one_answer_cannot_be_scored_is_refused_whole() -> None:
    outcome = score_rows(table(answered(1, "fine", "refuse"), answered(2, "good")), ToyScorer())
    assert outcome.rows["row"].to_pylist() == [2]
    assert outcome.dropped.select(["key", "reason"]).to_pylist() == [{"key": "001", "reason": "prompt_too_long"}]


def test_of_several_models_the_mean_counts_and_their_disagreement_is_told() -> None:
    ensemble = EnsembleScorer([ToyScorer(), Louder()], decimals=6)
    outcome = score_rows(table(answered(1, "three", "one")), ensemble)
    (row,) = outcome.rows.to_pylist()
    assert row["rewards"] == [6.0, 4.0]
    assert row["disagreement"] == pytest.approx([2**0.5, 2**0.5], abs=1e-6)


class Reader(ToyScorer):
    """As ToyScorer, behind critiques."""

    def assess(self, conversations: Any) -> list[Any]:
        told = zip(conversations, super().score(conversations), strict=True)
        return [
            Assessment(reward, critiques=(f"Of {asked.messages[-1]['content']}",))
            if isinstance(reward, float)
            else reward
            for asked, reward in told
        ]


def test_critiques_that_rewards_were_read_behind_are_kept_by_answer() -> None:
    outcome = score_rows(table(answered(1, "three", "one")), Reader())
    (row,) = outcome.rows.to_pylist()
    assert (row["rewards"], row["disagreement"]) == ([5.0, 3.0], None)
    assert row["critiques"] == [["Of three"], ["Of one"]]
    both = score_rows(table(answered(1, "three")), EnsembleScorer([Reader(), Reader(), ToyScorer()], decimals=6))
    assert both.rows["critiques"].to_pylist() == [[["Of three"]]]
    assert score_rows(table(answered(1, "three")), ToyScorer()).rows["critiques"].to_pylist() == [None]


def test_how_rows_are_cut_into_batches_changes_nothing() -> None:
    rows = [answered(place, *("x" * size for size in range(1, place + 2))) for place in range(5)]
    whole = score_rows(table(*rows), ToyScorer()).rows
    parts = [score_rows(table(*rows[begin : begin + 2]), ToyScorer()).rows for begin in (0, 2, 4)]
    assert pa.concat_tables(parts) == whole
