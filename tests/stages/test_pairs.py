"""Answers that the judges order alike become pairs, as far as they are asked for, and all others are counted."""

import pyarrow as pa
import pytest

from dt2it_ray.data.answer_tables import ANSWER_FACTS
from dt2it_ray.data.ids import answer_id
from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.judge import READS, Mode, judge_batch
from dt2it_ray.stages.judges import JudgeSettings
from dt2it_ray.stages.pairs import PairSettings, pair_candidates
from tests.stages.rows import ToyJudge, prompt_row

NAME = {text: answer_id("p", text) for text in "abc"}
SOURCES = pa.table({"prompt_id": ["p"], "source": ["toy"]})
FACTS = pa.Table.from_pylist(
    [{"answer_id": name, "prompt_id": "p", "characters": 1, "origin": "model:toy"} for name in NAME.values()],
    schema=ANSWER_FACTS,
)


def judgements(worth: dict[str, int], mode: Mode) -> pa.Table:
    batch = pa.Table.from_pylist([prompt_row("p", tuple(worth))], schema=READS)
    return judge_batch(batch, ToyJudge("j", worth.__getitem__), mode, JudgeSettings()).rows


def tables(**others: pa.Table) -> dict[str, pa.Table]:
    listwise = judgements({"a": 9, "b": 5, "c": 1}, "listwise")
    pointwise = judgements({"a": 8, "b": 2, "c": 4}, "pointwise")
    return {"listwise/j": listwise, "pointwise/j": pointwise, "rows": SOURCES, "facts": FACTS, **others}


def strengths(made: pa.Table) -> dict[tuple[str, str], float]:
    return {(row["chosen_id"], row["rejected_id"]): row["strength"] for row in made.to_pylist()}


def test_only_orders_that_both_judges_agree_on_become_pairs_with_the_mean_gap_as_strength() -> None:
    outcome = pair_candidates(tables(), PairSettings())
    assert strengths(outcome.rows) == {(NAME["a"], NAME["b"]): 5.0, (NAME["a"], NAME["c"]): 6.0}
    assert {"disagreed": 1, "agreed": 2, "pairs": 2, "dropped": {}}.items() <= outcome.metrics.items()


def test_the_listwise_order_alone_gives_more_pairs() -> None:
    outcome = pair_candidates(tables(), PairSettings(agreement="listwise"))
    assert strengths(outcome.rows)[NAME["b"], NAME["c"]] == 4.0
    assert outcome.metrics["pairs"] == 3


def test_what_is_not_asked_for_is_dropped_and_counted_by_rule() -> None:
    settings = parse_settings(PairSettings, {"strength": {"min_strength": 5.5}, "max_pairs": 1}, "test")
    outcome = pair_candidates(tables(), settings)
    assert list(strengths(outcome.rows)) == [(NAME["a"], NAME["c"])]
    assert outcome.metrics["dropped"] == {"too_weak": 1, "over_max_pairs": 0}


def test_facts_of_other_candidates_are_an_error() -> None:
    settings = parse_settings(PairSettings, {"without_duplicates": True}, "test")
    with pytest.raises(StageFailed, match=rf"answer {NAME['a']} was judged but is not among the answers' facts"):
        pair_candidates(tables(facts=FACTS.slice(1)), settings)


@pytest.mark.parametrize(
    ("strength", "problem"),
    [
        ({"bins": 3, "edges": [1.0]}, "not both"),
        ({"edges": [2.0, 1.0]}, "edges must rise"),
        ({"per_bin": 3}, "per_bin needs bins or edges"),
    ],
)
def test_bins_that_cannot_be_meant_are_refused(strength: dict, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_settings(PairSettings, {"strength": strength}, "test")
