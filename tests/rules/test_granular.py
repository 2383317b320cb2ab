"""Granular choices by hand: quality, the skip rule, ties, and that no order of rows or answers matters."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.data.granular import CHOICES, RATINGS
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.granular import choose_answers, flat_ratings, pairs_of
from tests.rules.tables import shuffled

Values = Sequence[int]


def ratings(by_prompt: Mapping[str, Mapping[str, Values]], judge: str = "r") -> pa.Table:
    """RATINGS of answers by prompt; each is as long as its name."""
    rows = [
        {
            "prompt_id": prompt,
            "judge": judge,
            "ratings": [
                {"answer_id": name, "values": list(values), "characters": len(name)} for name, values in answers.items()
            ],
            "attempts": 1,
        }
        for prompt, answers in by_prompt.items()
    ]
    return pa.Table.from_pylist(rows, schema=RATINGS)


def chosen(*tables: pa.Table, min_gap: float = 2, seed: int = 0) -> dict[str, tuple[str, str | None, float | None]]:
    made = choose_answers(flat_ratings(pa.concat_tables(tables)), min_gap, seed).choices
    assert made.schema == CHOICES
    return {row["prompt_id"]: (row["chosen_id"], row["rejected_id"], row["gap"]) for row in made.to_pylist()}


def of_quality(quality: int) -> tuple[int, ...]:
    """Values that sum to a quality, with complexity and verbosity that point the other way."""
    first = min(4, quality)
    second = min(4, quality - first)
    return first, second, quality - first - second, 4 - first, 4 - first


def test_quality_is_helpfulness_correctness_and_coherence_and_nothing_else() -> None:
    table = ratings({"p": {"a": (3, 4, 2, 0, 0), "b": (3, 2, 2, 4, 4)}})
    [row] = choose_answers(flat_ratings(table), 2, 0).choices.to_pylist()
    assert {each["answer_id"]: each["quality"] for each in row["graded"]} == {"a": 9, "b": 7}
    assert {each["answer_id"]: each["values"] for each in row["graded"]} == {"a": [3, 4, 2, 0, 0], "b": [3, 2, 2, 4, 4]}
    assert (row["chosen_id"], row["rejected_id"], row["gap"]) == ("a", "b", 2)


@pytest.mark.parametrize(("gap", "rejected"), [(0, None), (1, None), (2, "low"), (3, "low"), (12, "low")])
def test_a_prompt_is_skipped_below_a_gap_of_two_and_not_at_it(gap: int, rejected: str | None) -> None:
    made = chosen(ratings({"p": {"low": of_quality(12 - gap), "high": of_quality(12)}}))
    assert made["p"][1:] == (rejected, gap if rejected else None)


def test_only_answers_at_least_two_below_the_best_are_rejected_each_as_likely() -> None:
    qualities = dict(zip("abcde", (9, 8, 7, 4, 0), strict=True))
    by_prompt = {f"p{n}": {f"{n}{name}": of_quality(q) for name, q in qualities.items()} for n in range(600)}
    made = chosen(ratings(by_prompt))
    assert {best[-1] for best, _, _ in made.values()} == {"a"}
    drawn = [worst[-1] for _, worst, _ in made.values() if worst]
    assert set(drawn) == {"c", "d", "e"}
    assert all(160 < drawn.count(name) < 240 for name in "cde")
    assert {name[-1]: gap for _, name, gap in made.values() if name} == {"c": 2, "d": 5, "e": 9}


def test_of_equally_good_answers_each_is_as_likely_and_the_seed_decides() -> None:
    by_prompt = {f"p{n}": {f"{n}a": of_quality(9), f"{n}b": of_quality(9), f"{n}c": of_quality(3)} for n in range(400)}
    first, again, other = (chosen(ratings(by_prompt), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert 160 < sum(best.endswith("a") for best, _, _ in first.values()) < 240
    counts = choose_answers(flat_ratings(ratings(by_prompt)), 2, 0).counts
    assert counts["tied_for_best"] == 400


def test_raters_are_averaged_and_thirds_compare_as_if_they_were_exact() -> None:
    tables = [ratings({"p": {"a": of_quality(5 + one), "b": of_quality(3 + one)}}, f"r{one}") for one in (0, 0, 1)]
    tables[1] = ratings({"p": {"a": of_quality(5), "b": of_quality(3)}}, "r2")
    assert chosen(*tables)["p"] == ("a", "b", 2)
    [row] = choose_answers(flat_ratings(pa.concat_tables(tables)), 2, 0).choices.to_pylist()
    assert row["graded"][0]["quality"] == pytest.approx(16 / 3)


def test_a_prompt_that_one_rater_lost_stands_on_the_others() -> None:
    first = ratings({"p": {"a": of_quality(9), "b": of_quality(3)}, "q": {"c": of_quality(9), "d": of_quality(3)}})
    second = ratings({"q": {"c": of_quality(1), "d": of_quality(11)}}, "other")
    assert chosen(first, second) == {"p": ("a", "b", 6), "q": ("d", "c", 2)}


def test_counts_add_up() -> None:
    table = ratings(
        {
            "pair": {"a": of_quality(9), "long b": of_quality(3)},
            "near": {"c": of_quality(9), "d": of_quality(8)},
            "one": {"e": of_quality(9)},
            "tied": {"f": of_quality(9), "g": of_quality(9)},
            "longer": {"long h": of_quality(12), "i": of_quality(0)},
        }
    )
    made = choose_answers(flat_ratings(table), 2, 0)
    assert made.counts == {
        "prompts": 5,
        "answers": 9,
        "pairs": 2,
        "skipped_one_answer": 1,
        "skipped_small_gap": 2,
        "tied_for_best": 1,
        "chosen_longer": 1,
        "chosen_shorter": 1,
    }
    assert made.choices.num_rows == 5


def test_no_ratings_give_no_choices() -> None:
    made = choose_answers(flat_ratings(RATINGS.empty_table()), 2, 0)
    assert made.choices == CHOICES.empty_table()
    assert made.counts["prompts"] == made.counts["pairs"] == 0
    sources = pa.table({"prompt_id": pa.array([], pa.string()), "source": pa.array([], pa.string())})
    assert pairs_of(made.choices, sources) == PAIRS.empty_table()


QUALITIES = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=6), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(QUALITIES, st.integers(1, 12))
def test_choices_obey_the_rule_whatever_the_order(qualities: list[list[int]], min_gap: int) -> None:
    by_prompt = {
        f"p{number}": {f"p{number}a{place}": of_quality(quality) for place, quality in enumerate(listed)}
        for number, listed in enumerate(qualities)
    }
    turned = {prompt: dict(reversed(answers.items())) for prompt, answers in by_prompt.items()}
    made = chosen(ratings(by_prompt), min_gap=min_gap)
    assert made == chosen(shuffled(ratings(turned)), min_gap=min_gap)
    for prompt, (best, worst, gap) in made.items():
        quality = {name: sum(values[:3]) for name, values in by_prompt[prompt].items()}
        assert quality[best] == max(quality.values())
        assert (worst is None) == (max(quality.values()) - min(quality.values()) < min_gap)
        if worst is not None:
            assert gap == quality[best] - quality[worst] >= min_gap


def test_another_prompt_does_not_change_what_is_drawn() -> None:
    answers = {f"a{place}": of_quality(quality) for place, quality in enumerate((9, 9, 2, 2, 2))}
    alone = chosen(ratings({"p": answers}))
    assert chosen(ratings({"o": {"x": of_quality(4)}, "p": answers, "q": {"y": of_quality(0)}}))["p"] == alone["p"]


def test_pairs_carry_the_gap_as_strength_and_the_source() -> None:
    table = ratings({"p": {"a": of_quality(9), "b": of_quality(3)}, "q": {"c": of_quality(9), "d": of_quality(8)}})
    choices = choose_answers(flat_ratings(table), 2, 0).choices
    [pair] = pairs_of(choices, pa.table({"prompt_id": ["q", "p"], "source": ["other", "toy"]})).to_pylist()
    assert (pair["prompt_id"], pair["chosen_id"], pair["rejected_id"]) == ("p", "a", "b")
    assert (pair["source"], pair["strength"], pair["planted_flip"]) == ("toy", 6, None)
    with pytest.raises(StageFailed, match="prompt p was rated but is not among the prompts"):
        pairs_of(choices, pa.table({"prompt_id": ["q"], "source": ["other"]}))


def test_pair_ids_do_not_depend_on_the_direction() -> None:
    sources = pa.table({"prompt_id": ["p"], "source": ["toy"]})
    there, back = (
        pairs_of(choose_answers(flat_ratings(ratings({"p": {"a": one, "b": other}})), 2, 0).choices, sources)
        for one, other in ((of_quality(9), of_quality(3)), (of_quality(3), of_quality(9)))
    )
    assert there["pair_id"] == back["pair_id"]
    assert there["chosen_id"] == back["rejected_id"]
    assert np.array_equal(there["strength"].to_numpy(), back["strength"].to_numpy())
