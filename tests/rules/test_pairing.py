import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.data.ids import pair_id
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.pairing import form_pairs
from tests.rules.tables import judgement_table, shuffled

SOURCES = pa.table({"prompt_id": ["x", "y"], "source": ["made", "other"]})
OVERALLS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 4).map(float), max_size=5)


def directions(pairs: pa.Table) -> set[tuple[str, str]]:
    return set(zip(pairs["chosen_id"].to_pylist(), pairs["rejected_id"].to_pylist(), strict=True))


def test_only_pairs_that_both_judges_order_alike_are_kept() -> None:
    listwise = judgement_table([("x", {"a": 9.0, "b": 7.0, "c": 7.0, "d": 2.0})])
    pointwise = judgement_table([("x", {"a": 6.0, "b": 7.0, "c": 5.0, "d": 1.0})])
    pairing = form_pairs(listwise, pointwise, SOURCES)
    assert pairing.pairs.schema.equals(PAIRS)
    assert directions(pairing.pairs) == {("a", "c"), ("a", "d"), ("b", "d"), ("c", "d")}
    assert pairing.counts == {
        "prompts": 1,
        "answers": 4,
        "answers_judged_once": 0,
        "agreed": 4,
        "disagreed": 1,
        "tied": 1,
    }


def test_strength_is_the_mean_gap_and_weak_pairs_stay() -> None:
    listwise, pointwise = judgement_table([("x", {"a": 9.0, "b": 5.0})]), judgement_table([("x", {"a": 7.1, "b": 7.0})])
    [pair] = form_pairs(listwise, pointwise, SOURCES).pairs.to_pylist()
    assert pair["strength"] == pytest.approx(2.05)
    assert pair["pair_id"] == pair_id("made", "a", "b")
    assert (pair["source"], pair["planted_flip"]) == ("made", None)


def test_several_judgements_of_an_answer_are_averaged() -> None:
    passes = judgement_table([("x", {"a": 9.0, "b": 4.0}), ("x", {"b": 6.0, "a": 3.0})])
    pointwise = judgement_table([("x", {"a": 8.0}), ("x", {"b": 1.0})])
    [pair] = form_pairs(passes, pointwise, SOURCES).pairs.to_pylist()
    assert (pair["chosen_id"], pair["strength"]) == ("a", (1 + 7) / 2)


def test_means_that_differ_by_rounding_only_are_tied() -> None:
    # (7.1 + 7.3) / 2 is 7.199999999999999 as a float.
    listwise = judgement_table([("x", {"a": 7.2, "b": 7.1}), ("x", {"a": 7.2, "b": 7.3})])
    pointwise = judgement_table([("x", {"a": 8.0, "b": 7.0})])
    assert form_pairs(listwise, pointwise, SOURCES).counts["tied"] == 1


def test_answers_of_different_prompts_are_not_compared() -> None:
    both = judgement_table([("x", {"a": 9.0}), ("y", {"b": 1.0})])
    assert form_pairs(both, both, SOURCES).pairs.num_rows == 0


def test_an_answer_that_one_judge_refused_forms_no_pair_and_is_counted() -> None:
    listwise = judgement_table([("x", {"a": 9.0, "b": 5.0})])
    pairing = form_pairs(listwise, judgement_table([("x", {"a": 9.0})]), SOURCES)
    assert (pairing.pairs.num_rows, pairing.counts["answers_judged_once"]) == (0, 1)


def test_no_judgements_give_no_pairs() -> None:
    pairs = form_pairs(judgement_table([]), judgement_table([]), SOURCES).pairs
    assert pairs.schema.equals(PAIRS)
    assert pairs.num_rows == 0


def test_without_pointwise_judgements_the_listwise_order_decides() -> None:
    listwise = judgement_table([("x", {"a": 9.0, "b": 7.0, "c": 7.0})])
    pairing = form_pairs(listwise, None, SOURCES)
    assert directions(pairing.pairs) == {("a", "b"), ("a", "c")}
    assert pairing.pairs["strength"].to_pylist() == [2.0, 2.0]
    counts = {"agreed": 2, "disagreed": 0, "tied": 1, "answers_judged_once": 0}
    assert counts.items() <= pairing.counts.items()


@given(OVERALLS, OVERALLS)
@settings(max_examples=30, deadline=None)
def test_order_of_rows_and_reversed_scores(listwise: dict[str, float], pointwise: dict[str, float]) -> None:
    one, two = (judgement_table([("x", {name: each[name]}) for name in each]) for each in (listwise, pointwise))
    pairing = form_pairs(one, two, SOURCES)
    assert form_pairs(shuffled(one), shuffled(two), SOURCES).pairs.equals(pairing.pairs)
    low, high = (judgement_table([("x", {k: -v for k, v in each.items()})]) for each in (listwise, pointwise))
    turned = form_pairs(low, high, SOURCES).pairs
    assert turned["pair_id"].to_pylist() == pairing.pairs["pair_id"].to_pylist()
    assert turned["chosen_id"].to_pylist() == pairing.pairs["rejected_id"].to_pylist()
    assert turned["strength"].to_pylist() == pairing.pairs["strength"].to_pylist()


def test_a_judged_prompt_without_source_is_an_error() -> None:
    both = judgement_table([("stranger", {"a": 1.0, "b": 2.0})])
    with pytest.raises(StageFailed, match="prompt stranger was judged"):
        form_pairs(both, both, SOURCES)


def told(*rows: tuple[str, int, dict[str, float]]) -> pa.Table:
    """JUDGEMENTS of prompt x: judge, shown and overall by answer."""
    plain = judgement_table([("x", overalls) for *_, overalls in rows])
    for name, values in (("judge", [row[0] for row in rows]), ("shown", [row[1] for row in rows])):
        place = plain.schema.get_field_index(name)
        plain = plain.set_column(place, plain.schema.field(place), pa.array(values, plain.schema.field(place).type))
    return plain


def test_answers_are_compared_by_those_who_judged_both() -> None:
    listwise = told(("l", 0, {"a": 5.0, "b": 6.0}))
    pointwise = told(("h", 0, {"a": 5.0}), ("h", 0, {"b": 6.0}), ("k", 0, {"a": 9.0}))
    pairing = form_pairs(listwise, pointwise, SOURCES)
    assert directions(pairing.pairs) == {("b", "a")}
    assert pairing.pairs["strength"].to_pylist() == [1.0]
    assert "judged_apart" not in pairing.counts


def test_each_judge_and_each_order_counts_once() -> None:
    listwise = told(("h", 0, {"a": 9.0, "b": 5.0}), ("h", 1, {"b": 6.0, "a": 5.0}), ("k", 0, {"a": 4.0, "b": 4.0}))
    for table in (listwise, shuffled(listwise)):
        assert form_pairs(table, None, SOURCES).pairs["strength"].to_pylist() == [1.0]


def test_answers_that_nobody_judged_both_are_counted_and_form_no_pair() -> None:
    pointwise = told(("h", 0, {"a": 5.0}), ("k", 0, {"b": 6.0}))
    pairing = form_pairs(told(("l", 0, {"a": 5.0, "b": 6.0})), pointwise, SOURCES)
    assert (pairing.pairs.num_rows, pairing.counts["judged_apart"]) == (0, 1)
    assert (pairing.counts["answers"], pairing.counts["tied"], pairing.counts["answers_judged_once"]) == (2, 0, 0)
