from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.rules.raters import judged
from dt2it_ray.rules.reliability import measure_reliability
from tests.rules.judged import answer_table, judgement, judgement_table, source_table
from tests.rules.tables import shuffled

PROMPTS = [f"p{number:02d}" for number in range(12)]
PLAIN = {"a": (10, "model:x"), "b": (20, "model:y"), "c": (30, "model:y")}
HALVES = {prompt: "even" if number % 2 == 0 else "odd" for number, prompt in enumerate(PROMPTS)}


def measure(
    rows: Sequence[Mapping[str, Any]],
    kinds: Mapping[str, tuple[int, str | None]] = PLAIN,
    models: Mapping[str, str] | None = None,
    sources: Mapping[str, str] = HALVES,
) -> pa.Table:
    answers = answer_table(PROMPTS, kinds)
    known = judged(judgement_table(rows), answers, source_table(sources))
    return measure_reliability(known, models or {}, Resampling())


def figure(table: pa.Table, name: str, source: str = "", **which: Any) -> dict[str, Any]:
    wanted = {"figure": name, "source": source, **which}
    (row,) = (row for row in table.to_pylist() if wanted.items() <= row.items())
    return row


def test_a_turn_of_the_direction_is_a_flip_and_a_tie_in_one_order_half_a_flip() -> None:
    second = [{"a": 6, "b": 5}] * 6 + [{"a": 5, "b": 6}] * 3 + [{"a": 5, "b": 5}] * 3
    rows = [judgement(prompt, {"a": 6, "b": 5}, order="ab") for prompt in PROMPTS]
    rows += [judgement(prompt, said, shown=1, order="ba") for prompt, said in zip(PROMPTS, second, strict=True)]
    told = figure(measure(rows), "position_flip_rate")
    assert told["value"] == (3 + 3 / 2) / 12
    assert (told["n"], told["prompts"], told["interval"]) == (12, 12, "bootstrap")
    assert told["low"] < told["value"] < told["high"]


def test_answers_that_keep_their_places_tell_nothing_of_flips() -> None:
    rows = [judgement(prompt, {"a": 6, "b": 5}, order="ab") for prompt in PROMPTS]
    rows += [judgement(prompt, {"a": 5, "b": 6}, shown=1, order="ab") for prompt in PROMPTS]
    told = figure(measure(rows), "position_flip_rate")
    assert (told["value"], told["note"], told["n"]) == (None, "one_order_only", 0)


def test_the_first_shown_answer_wins_where_a_judge_likes_it() -> None:
    rows = [judgement(prompt, {"a": 6, "b": 5}, order="ab") for prompt in PROMPTS]
    rows += [judgement(prompt, {"a": 5, "b": 6}, shown=1, order="ba") for prompt in PROMPTS]
    made = measure(rows)
    told = figure(made, "first_shown_wins")
    assert (told["value"], told["n"], told["interval"]) == (1, 24, "wilson")
    assert figure(made, "position_flip_rate")["value"] == 1


def test_longer_answers_win_a_share_without_equal_lengths_and_ties_count_half() -> None:
    kinds = {"a": (10, None), "b": (20, None), "c": (20, None)}
    rows = [judgement(prompt, {"a": 5, "b": 6, "c": 5}) for prompt in PROMPTS]
    told = figure(measure(rows, kinds), "longer_wins")
    assert (told["value"], told["n"]) == (0.75, 24)
    equal = figure(measure(rows, dict.fromkeys("abc", (10, None))), "longer_wins")
    assert (equal["value"], equal["note"]) == (None, "no_lengths_differ")


def test_own_answers_are_compared_with_others_that_nobody_spoilt() -> None:
    kinds = {"a": (10, "model:x"), "b": (20, "degraded:number"), "c": (30, "model:y"), "d": (40, None)}
    rows = [judgement(prompt, {"a": 5, "b": 1, "c": 6, "d": 1}, judge="j") for prompt in PROMPTS]
    told = figure(measure(rows, kinds, {"listwise/j": "x"}), "self_preference")
    assert (told["value"], told["n"]) == (0, 12)
    assert figure(measure(rows, kinds, {"listwise/j": "y"}), "self_preference")["value"] == 1
    assert figure(measure(rows, kinds, {"listwise/j": "z"}), "self_preference")["note"] == "own_model_not_compared"
    assert figure(measure(rows, kinds), "self_preference")["note"] == "model_of_judge_not_set"


def test_listwise_and_pointwise_agree_as_far_as_they_order_alike() -> None:
    rows = [judgement(prompt, {"a": 6, "b": 5}) for prompt in PROMPTS]
    other = [{"a": 7, "b": 5}] * 8 + [{"a": 5, "b": 5}] * 2 + [{"a": 1, "b": 5}]
    rows += [judgement(p, said, mode="pointwise") for p, said in zip(PROMPTS, other, strict=False)]
    told = figure(measure(rows), "listwise_pointwise_agreement", judge="j", other_judge="j")
    assert told["value"] == pytest.approx((8 + 2 / 2) / 11, abs=1e-6)
    assert told["n"] == 11


def test_means_over_orders_are_compared_without_noise_of_floats() -> None:
    rows = [judgement(prompt, {"a": 7.1, "b": 7.2}, order="ab") for prompt in PROMPTS]
    rows += [judgement(prompt, {"a": 7.3, "b": 7.2}, shown=1, order="ba") for prompt in PROMPTS]
    assert figure(measure(rows), "longer_wins")["value"] == 0.5


def random_rows(judges: Sequence[str], seed: int = 0) -> list[dict[str, Any]]:
    """Judgements of three answers in both orders and modes, by judges who mostly agree."""
    draw = np.random.default_rng(seed)
    rows = []
    for prompt in PROMPTS:
        worth = dict(zip("abc", draw.integers(3, 8, 3).tolist(), strict=True))
        for judge in judges:
            for mode, shown in (("listwise", 0), ("listwise", 1), ("pointwise", 0)):
                said = {letter: value + int(draw.integers(-1, 2)) for letter, value in worth.items()}
                rows.append(judgement(prompt, said, judge, mode, shown, order="abc" if shown == 0 else "cba"))
    return rows


def test_kappa_is_that_of_directions_in_both_orders() -> None:
    from sklearn.metrics import cohen_kappa_score

    rows = [judgement(prompt, {"a": 6, "b": 5}, judge="j1") for prompt in PROMPTS]
    other = [{"a": 6, "b": 5}] * 7 + [{"a": 5, "b": 6}] * 3 + [{"a": 5, "b": 5}] * 2
    rows += [judgement(p, said, judge="j2") for p, said in zip(PROMPTS, other, strict=True)]
    told = figure(measure(rows), "kappa")
    directions = [1] * 7 + [-1] * 3 + [0] * 2
    both_ways = cohen_kappa_score([1] * 12 + [-1] * 12, directions + [-value for value in directions])
    assert told["value"] == pytest.approx(both_ways, abs=1e-6)
    assert (told["judge"], told["other_judge"], told["n"]) == ("j1", "j2", 12)


def test_agreement_of_raters_who_never_differ_has_no_interval() -> None:
    wins = [{"a": 6, "b": 5}, {"a": 5, "b": 6}] * 6
    rows = [judgement(p, said, judge=name) for name in ("j1", "j2") for p, said in zip(PROMPTS, wins, strict=True)]
    for name in ("kappa", "alpha_direction", "alpha_overall"):
        told = figure(measure(rows), name)
        assert (told["value"], told["low"], told["high"], told["interval"]) == (1, None, None, None)
        assert (told["note"], told["n"]) == ("all_prompts_alike", 24 if name == "alpha_overall" else 12)


def test_alpha_of_two_raters_of_everything_is_close_to_kappa() -> None:
    made = measure([row for row in random_rows(["j1", "j2"]) if row["mode"] == "listwise"])
    alpha, kappa = figure(made, "alpha_direction", mode="listwise"), figure(made, "kappa")
    assert (alpha["n"], kappa["n"], alpha["judge"]) == (36, 36, None)
    assert alpha["value"] == pytest.approx(kappa["value"], abs=0.01)
    assert 0.3 < figure(made, "alpha_overall", mode="listwise")["value"] < 1
    assert {row["mode"] for row in made.to_pylist() if row["judge"] is None} == {"listwise"}


def test_figures_stand_over_all_and_by_source() -> None:
    made = measure(random_rows(["j"]))
    alone = measure([row for row in random_rows(["j"]) if HALVES[row["prompt_id"]] == "odd"])
    for name in ("position_flip_rate", "first_shown_wins", "listwise_pointwise_agreement"):
        assert figure(made, name, "odd")["value"] == figure(alone, name)["value"]
        assert figure(made, name, "odd")["n"] + figure(made, name, "even")["n"] == figure(made, name)["n"]
    assert len(set(made["figure_id"].to_pylist())) == made.num_rows


def test_prompts_without_a_source_count_over_all_only() -> None:
    made = measure(random_rows(["j"]), sources=dict.fromkeys(PROMPTS, "") | {"p00": "named"})
    assert set(made["source"].to_pylist()) == {"", "named"}
    assert len(set(made["figure_id"].to_pylist())) == made.num_rows


def test_neither_the_order_of_rows_nor_missing_judgements_disturb() -> None:
    rows = random_rows(["j1", "j2"])
    rows = [row for place, row in enumerate(rows) if place % 7]
    table, answers, sources = judgement_table(rows), answer_table(PROMPTS, PLAIN), source_table(HALVES)
    made = measure_reliability(judged(table, answers, sources), {}, Resampling())
    mixed = measure_reliability(judged(shuffled(table), shuffled(answers), shuffled(sources)), {}, Resampling())
    assert made.equals(mixed)
    assert figure(made, "kappa", mode="pointwise", judge="j1", other_mode="pointwise")["n"] < 36


def test_no_judgements_are_figures_of_nothing() -> None:
    made = measure([])
    assert set(made["note"].to_pylist()) == {"nothing_shared"}


def test_what_was_judged_must_be_known() -> None:
    rows = [judgement("p00", {"a": 6, "z": 5})]
    with pytest.raises(StageFailed, match=r"answer_id p00z was judged, but the inputs do not tell its characters"):
        measure(rows)
    with pytest.raises(StageFailed, match=r"prompt_id p00 was judged, but the inputs do not tell its source"):
        measure([judgement("p00", {"a": 6, "b": 5})], sources={"p01": "odd"})
    with pytest.raises(StageFailed, match="judgement of prompt p00 rates an answer that its order does not list"):
        measure([judgement("p00", {"a": 6, "b": 5}, order="ac")])


def test_answers_that_were_shown_but_lost_leave_the_others_compared() -> None:
    rows = [judgement(prompt, {"a": 6, "c": 5}, order="abc") for prompt in PROMPTS]
    rows += [judgement(prompt, {"a": 5, "c": 6}, shown=1, order="cba") for prompt in PROMPTS]
    assert figure(measure(rows), "position_flip_rate")["value"] == 1


def test_other_names_of_the_answers_give_the_same_figures() -> None:
    rows, turned = random_rows(["j1", "j2"]), str.maketrans("abc", "cba")
    renamed = [
        row
        | {"order": [name.translate(turned) for name in row["order"]]}
        | {"assessments": [a | {"answer_id": a["answer_id"].translate(turned)} for a in row["assessments"]]}
        for row in rows
    ]
    kinds = {letter.translate(turned): kind for letter, kind in PLAIN.items()}
    assert measure(rows, models={"j1": "x"}).equals(measure(renamed, kinds, models={"j1": "x"}))
