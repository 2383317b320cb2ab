"""Judges of doubted pairs are measured by the same rules as other judges, and whatever their votes are told from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data.schema import DOUBTED
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.rules.reliability import measure_reliability
from dt2it_ray.rules.voters import voted
from dt2it_ray.rules.votes import Verdict
from tests.rules.judged import answer_table, source_table
from tests.rules.tables import shuffled, vote_table
from tests.rules.test_reliability import figure

PROMPTS = [f"p{number:02d}" for number in range(12)]
KINDS = {"a": (10, "model:x"), "b": (20, "model:y"), "c": (30, "model:y")}
Vote = tuple[str, str, bool, str]


def doubted_table(pairs: Iterable[tuple[str, str, str]]) -> pa.Table:
    """DOUBTED of (prompt, chosen letter, rejected letter); a pair is called by all three."""
    listed: dict[str, list[dict[str, str]]] = {}
    for prompt, chosen, rejected in pairs:
        pair = {"pair_id": prompt + chosen + rejected, "chosen_id": prompt + chosen, "rejected_id": prompt + rejected}
        listed.setdefault(prompt, []).append(pair)
    return pa.Table.from_pylist([{"prompt_id": name, "pairs": pairs} for name, pairs in listed.items()], schema=DOUBTED)


def measure(votes: Sequence[Vote], sides: Sequence[str] = ("ab",), models: Mapping[str, str] | None = None) -> pa.Table:
    """The figures of votes on pairs of these sides (chosen, rejected) of every prompt."""
    doubted = doubted_table((prompt, chosen, rejected) for prompt in PROMPTS for chosen, rejected in sides)
    sources = source_table({prompt: "odd" if int(prompt[1:]) % 2 else "even" for prompt in PROMPTS})
    known = voted(vote_table(votes), doubted, answer_table(PROMPTS, KINDS), sources)
    return measure_reliability(known, models or {}, Resampling())


def both_orders(judge: str, verdicts: Sequence[tuple[str, str]], sides: str = "ab") -> list[Vote]:
    """The votes of a judge on the pair of every prompt, as it stands and swapped."""
    told = zip(PROMPTS, verdicts, strict=True)
    return [(p + sides, judge, bool(turn), said[turn]) for p, said in told for turn in (0, 1)]


def test_a_vote_that_turns_with_the_order_is_a_flip_and_a_tie_in_one_order_half_a_flip() -> None:
    votes = both_orders("j", [("chosen", "chosen")] * 6 + [("chosen", "rejected")] * 3 + [("tie", "rejected")] * 3)
    told = figure(measure(votes), "position_flip_rate", mode="rejudge", judge="j")
    assert (told["value"], told["n"], told["prompts"]) == ((3 + 3 / 2) / 12, 12, 12)
    assert told["low"] < told["value"] < told["high"]


def test_a_judge_that_likes_the_first_answer_is_seen_to() -> None:
    made = measure(both_orders("j", [("chosen", "rejected")] * 12))
    assert figure(made, "position_flip_rate")["value"] == 1
    assert (figure(made, "first_shown_wins")["value"], figure(made, "first_shown_wins")["n"]) == (1, 24)
    assert figure(made, "longer_wins")["value"] == 0.5


def test_longer_and_own_answers_win_by_the_votes_of_both_orders() -> None:
    votes = both_orders("j", [("rejected", "rejected")] * 6 + [("tie", "rejected")] * 3 + [("chosen", "rejected")] * 3)
    made = measure(votes, models={"rejudge/j": "y"})
    assert (figure(made, "longer_wins")["value"], figure(made, "longer_wins")["n"]) == ((9 + 3 / 2) / 12, 12)
    assert figure(made, "self_preference")["value"] == (9 + 3 / 2) / 12
    assert figure(measure(votes), "self_preference")["note"] == "model_of_judge_not_set"


def test_where_nobody_tells_who_wrote_the_answers_there_is_no_self_preference() -> None:
    unknown = answer_table(PROMPTS, {letter: (size, None) for letter, (size, _) in KINDS.items()})
    doubted, sources = doubted_table((p, "a", "b") for p in PROMPTS), source_table(dict.fromkeys(PROMPTS, "s"))
    known = voted(vote_table(both_orders("j", [("chosen", "chosen")] * 12)), doubted, unknown, sources)
    told = figure(measure_reliability(known, {"rejudge/j": "y"}, Resampling()), "self_preference")
    assert (told["value"], told["note"]) == (None, "writers_not_known")


def test_judges_agree_as_far_as_their_votes_do_and_have_no_scores_to_agree_on() -> None:
    from sklearn.metrics import cohen_kappa_score

    other = [("rejected", "rejected")] * 3 + [("chosen", "chosen")] * 7 + [("tie", "tie")] * 2
    made = measure(both_orders("j1", [("chosen", "chosen")] * 12) + both_orders("j2", other))
    directions = [-1] * 3 + [1] * 7 + [0] * 2
    both_ways = cohen_kappa_score([1] * 12 + [-1] * 12, directions + [-value for value in directions])
    assert figure(made, "kappa")["value"] == pytest.approx(both_ways, abs=1e-6)
    alpha = figure(made, "alpha_direction", mode="rejudge")
    assert (alpha["judge"], alpha["n"]) == (None, 12)
    assert alpha["value"] == pytest.approx(both_ways, abs=0.02)
    assert "alpha_overall" not in made["figure"].to_pylist()


def test_two_pairs_of_a_prompt_are_told_apart_and_drawn_together() -> None:
    votes = both_orders("j", [("chosen", "chosen")] * 12, "ab") + both_orders("j", [("chosen", "rejected")] * 12, "ac")
    told = figure(measure(votes, ("ab", "ac")), "position_flip_rate")
    assert (told["value"], told["n"], told["prompts"]) == (0.5, 24, 12)


def test_a_pair_that_is_labelled_both_ways_is_two_pairs() -> None:
    votes = both_orders("j", [("chosen", "chosen")] * 12, "ab") + both_orders("j", [("rejected", "tie")] * 12, "ba")
    made = measure(votes, ("ab", "ba"))
    assert (figure(made, "position_flip_rate")["value"], figure(made, "position_flip_rate")["n"]) == (0.25, 24)
    assert figure(made, "longer_wins")["value"] == 0


def test_invalid_votes_and_votes_in_one_order_leave_what_is_left() -> None:
    votes = both_orders("j", [("chosen", "invalid")] * 4 + [("invalid", "invalid")] * 4 + [("tie", "chosen")] * 4)
    made = measure(votes)
    assert [figure(made, name)["n"] for name in ("position_flip_rate", "first_shown_wins", "longer_wins")] == [4, 12, 8]
    assert figure(made, "longer_wins")["value"] == 0
    lost = measure(both_orders("j", [("invalid", "invalid")] * 12))
    assert figure(lost, "position_flip_rate")["note"] == "one_order_only"
    assert figure(lost, "longer_wins")["note"] == "no_lengths_differ"


MIXED = [("chosen", "rejected"), ("tie", "chosen"), ("rejected", "rejected"), ("chosen", "chosen")] * 3


def mixed_votes() -> list[Vote]:
    return both_orders("j1", MIXED) + both_orders("j2", MIXED[1:] + MIXED[:1])


def test_the_side_that_a_source_labels_better_means_nothing() -> None:
    swapped = [(p[:3] + p[:2:-1], judge, not turn, str(Verdict(said).swap())) for p, judge, turn, said in mixed_votes()]
    models = {"rejudge/j1": "x", "rejudge/j2": "y"}
    made = measure(mixed_votes(), models=models)
    assert made.equals(measure(swapped, ("ba",), models))
    assert figure(made, "kappa")["value"] is not None
    assert 0 < figure(made, "self_preference", judge="j1")["value"] < 1


def test_the_order_of_rows_means_nothing() -> None:
    doubted, answers = doubted_table((p, "a", "b") for p in PROMPTS), answer_table(PROMPTS, KINDS)
    tables = (vote_table(mixed_votes()), doubted, answers, source_table(dict.fromkeys(PROMPTS, "s")))

    def measured(*given: pa.Table) -> pa.Table:
        return measure_reliability(voted(*given), {"rejudge/j1": "x"}, Resampling())

    assert measured(*tables).equals(measured(*(shuffled(table) for table in tables)))


def test_figures_by_source_add_up() -> None:
    made = measure(mixed_votes())
    counts = [figure(made, "kappa", source)["n"] for source in ("even", "odd", "")]
    assert counts == [6, 6, 12]


def test_without_votes_there_are_figures_of_nothing() -> None:
    known = voted(vote_table([]), DOUBTED.empty_table(), answer_table([], {}), source_table({}))
    made = measure_reliability(known, {}, Resampling())
    assert set(made["note"].to_pylist()) == {"nothing_shared"}


def refused(votes: Sequence[Vote], **other: Any) -> pytest.ExceptionInfo[StageFailed]:
    tables: dict[str, pa.Table] = {
        "doubted": doubted_table([("p00", "a", "b")]),
        "answers": answer_table(["p00"], KINDS),
        "sources": source_table({"p00": "s"}),
    }
    with pytest.raises(StageFailed) as told:
        voted(vote_table(votes), **(tables | other))
    return told


def test_votes_that_fit_nothing_are_refused_by_name() -> None:
    once = ("p00ab", "j", False, "chosen")
    assert "j votes 2 times on pair p00ab with swapped=False" in str(refused([once, once]).value)
    assert "pair p09ab has votes, but is not among" in str(refused([("p09ab", "j", False, "tie")]).value)
    assert "answer_id p00a was judged" in str(refused([once], answers=answer_table(["p01"], KINDS)).value)
    assert "prompt_id p00 was judged" in str(refused([once], sources=source_table({"p01": "s"})).value)
