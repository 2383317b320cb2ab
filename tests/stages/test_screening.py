"""What is added depends on the screening, and nothing is judged twice that stayed as it was."""

import pyarrow as pa
import pytest

from dt2it_ray.data.schema import CANDIDATES, JUDGEMENTS
from dt2it_ray.errors import ConfigError
from dt2it_ray.rules.diversity import is_usable_rewrite
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.judges import JudgingSettings
from dt2it_ray.stages.screening import NeedSettings, decide_needs, join_judgements, list_enlarged
from dt2it_ray.stages.stage import NoSettings
from tests.rules.tables import judgement_table, shuffled


def counted(sizes: dict[str, int]) -> pa.Table:
    rows = [{"prompt_id": name, "origins": ["model:m"] * size} for name, size in sizes.items()]
    return pa.Table.from_pylist(rows, schema=CANDIDATES).select(["prompt_id", "origins"])


def needs_of(overalls: dict[str, list[float]], **sizes: int) -> dict[str, str]:
    screen = judgement_table(
        [(name, {f"{name}{place}": value for place, value in enumerate(values)}) for name, values in overalls.items()]
    )
    tables = {
        "candidates": counted({**{name: len(values) for name, values in overalls.items()}, **sizes}),
        "screen": screen,
    }
    outcome = decide_needs(tables, NeedSettings(high=7, low=5))
    mixed = {name: shuffled(table) for name, table in tables.items()}
    assert decide_needs(mixed, NeedSettings(high=7, low=5)).rows.equals(outcome.rows)
    return dict(zip(outcome.rows["prompt_id"].to_pylist(), outcome.rows["need"].to_pylist(), strict=True))


def test_all_good_answers_need_worse_ones_and_all_bad_ones_better_ones() -> None:
    overalls = {"good": [7.0, 9.0], "bad": [5.0, 1.0], "mixed": [7.0, 6.9], "both": [9.0, 1.0]}
    assert needs_of(overalls) == {"good": "worse", "bad": "better", "mixed": "none", "both": "none"}


def test_a_single_answer_needs_company_and_an_unscreened_prompt_nothing() -> None:
    assert needs_of({"fair": [6.0], "bad": [2.0]}, unseen=1) == {"fair": "worse", "bad": "better", "unseen": "none"}


def test_bounds_that_overlap_are_refused() -> None:
    with pytest.raises(ConfigError, match="low=8 must be below high=7"):
        parse_settings(NeedSettings, {"low": 8}, "test")


def judged(name: str, *prompts: str) -> pa.Table:
    rows = [{"judgement_id": f"{name} {prompt}", "prompt_id": prompt, "judge": "j"} for prompt in prompts]
    return pa.Table.from_pylist(rows, schema=JUDGEMENTS)


def test_the_screening_stands_where_nothing_was_added() -> None:
    sampled, candidates = counted({"p": 2, "q": 2, "lost": 1}), counted({"q": 3, "p": 2})
    enlarged = list_enlarged({"candidates": candidates, "sampled": sampled}, NoSettings())
    assert enlarged.rows["prompt_id"].to_pylist() == ["q"]
    tables = {
        "screen": judged("early", "lost", "p", "q"),
        "judged": judged("late", "q"),
        "enlarged": enlarged.rows,
        "candidates": candidates,
    }
    outcome = join_judgements(tables, JudgingSettings())
    assert outcome.rows["judgement_id"].to_pylist() == ["early p", "late q"]
    assert outcome.metrics == {"standing": 1, "judged_anew": 1}


@pytest.mark.parametrize(
    ("rewritten", "usable"),
    [
        ("A dog sleeps.", True),
        ("a cat, sleeps", False),
        ("  ", False),
        ("I cannot do that", False),
        ("抱歉，无法改写。", False),
        ("A dog sleeps on the warm roof of a large red car in the morning.", False),
    ],
)
def test_a_rewrite_says_something_else_at_about_the_same_length(rewritten: str, usable: bool) -> None:
    assert is_usable_rewrite("A cat sleeps.", rewritten, 1.5) is usable
