"""Judging: what is asked, what is accepted, and where refused replies go."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import unit_interval
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.protocols import JudgeRequest
from dt2it_ray.rules.pairing import form_pairs
from dt2it_ray.stages.judge import READS, Mode, judge_batch
from dt2it_ray.stages.judges import JudgeSettings
from dt2it_ray.stages.stage import Outcome
from tests.stages.rows import ToyJudge, form, prompt_row

TEXTS = ("a", "bb", "ccc", "dddd", "eeeee", "ffffff")
PASSES: list[tuple[Mode, int]] = [("listwise", 1), ("listwise", 2), ("pointwise", 1)]


def batch_of(*prompts: str, answers: int = 4) -> pa.Table:
    return pa.Table.from_pylist([prompt_row(prompt, TEXTS[:answers]) for prompt in prompts], schema=READS)


def judged(judge: Any, batch: pa.Table, mode: Mode = "listwise", orders: int = 1) -> Outcome:
    return judge_batch(batch, judge, mode, JudgeSettings(), orders)


def overalls(judgement: dict) -> dict[str, float]:
    return {assessment["answer_id"]: assessment["overall"] for assessment in judgement["assessments"]}


class Deaf:
    """A judge that never gives a valid reply about some answers, and loses one reply on its way."""

    name = "deaf"

    def __init__(self, *texts: str, lost: str = "") -> None:
        self._texts, self._lost = texts, lost

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str | Dropped]:
        return [self._reply(request) for request in requests]

    def _reply(self, request: JudgeRequest) -> str | Dropped:
        if self._lost in request.answers and request.attempt == 2:
            return Dropped(DropReason.ENDPOINT_FAILED, "6 tries", "status 500")
        if {*self._texts, self._lost} & set(request.answers):
            return f"Attempt {request.attempt} at {request.answers[0]}: ```json\n{{}}```"
        return form([len(text) for text in request.answers])


class Unsteady:
    """A judge whose replies are valid by chance, drawn by what is asked."""

    name = "unsteady"

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str]:
        return [self._reply(request) for request in requests]

    def _reply(self, request: JudgeRequest) -> str:
        steady = unit_interval(request.key, request.attempt) < 0.3
        return form([len(text) for text in request.answers]) if steady else "No."


class OneOrder:
    """A judge that gives valid replies only where one text stands first."""

    name = "one-order"

    def __init__(self, first: str) -> None:
        self._first = first

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str]:
        return [form([5] * len(told.answers)) if told.answers[0] == self._first else "No." for told in requests]


@pytest.mark.parametrize("answers", range(1, 7))
@pytest.mark.parametrize(("mode", "orders"), PASSES)
def test_every_answer_gets_the_score_that_is_its_own(mode: Mode, orders: int, answers: int) -> None:
    rows = judged(ToyJudge("j", len), batch_of("p", "q", answers=answers), mode, orders).rows.to_pylist()
    assert [(row["prompt_id"], row["shown"]) for row in rows] == [
        (prompt, shown) for prompt in "pq" for shown in range(orders if answers > 1 else 1)
    ]
    assert len({row["judgement_id"] for row in rows}) == len(rows)
    for row in rows:
        known = prompt_row(row["prompt_id"], TEXTS[:answers])["answers"]
        assert overalls(row) == {answer["answer_id"]: float(len(answer["text"])) for answer in known}
        assert sorted(row["order"]) == sorted(answer["answer_id"] for answer in known)
        assert (row["judge"], row["mode"], row["faults"], row["evidence"]) == ("annotator-0", mode, [], None)
        assert row["attempts"] == (answers if mode == "pointwise" else 1)


def test_a_listwise_judge_sees_shuffled_answers_and_the_order_is_kept() -> None:
    judge = ToyJudge("j", len)
    rows = judged(judge, batch_of(*(f"p{number}" for number in range(20))), orders=2).rows.to_pylist()
    assert len({request.answers for request in judge.asked}) > 10
    for request, row in zip(judge.asked, rows, strict=True):
        text_of = {answer["answer_id"]: answer["text"] for answer in prompt_row(row["prompt_id"], TEXTS)["answers"]}
        assert [text_of[name] for name in row["order"]] == list(request.answers)
    for first, second in list(pairwise(rows))[::2]:
        assert second["order"] == first["order"][::-1]


def test_two_orders_cancel_the_favour_of_a_position() -> None:
    batch, sources = batch_of("p", answers=2), pa.table({"prompt_id": ["p"], "source": ["toy"]})
    pointwise = judged(ToyJudge("j", len), batch, "pointwise").rows
    made = {
        orders: form_pairs(judged(ToyJudge("j", lambda text: 5, 0, 2), batch, orders=orders).rows, pointwise, sources)
        for orders in (1, 2)
    }
    assert {orders: each.counts["tied"] for orders, each in made.items()} == {1: 0, 2: 1}


def test_an_invalid_reply_is_asked_for_again_and_attempts_and_faults_are_counted() -> None:
    outcome = judged(ToyJudge("j", len, stutters=2), batch_of("p", "q"))
    assert outcome.rows["attempts"].to_pylist() == [3, 3]
    assert outcome.rows["faults"].to_pylist() == [["not_one_object"] * 2] * 2
    assert outcome.metrics == {"attempts": 6, "faults.not_one_object": 4, "lost": 0, "requests": 2}


def test_a_reply_that_stays_invalid_drops_the_prompt_with_the_raw_text_of_all_attempts() -> None:
    outcome = judged(ToyJudge("j", len, stutters=9), batch_of("p", "q"))
    assert outcome.rows.num_rows == 0
    assert outcome.dropped["key"].to_pylist() == ["p", "q"]
    assert outcome.dropped["reason"].to_pylist() == ["reply_invalid"] * 2
    assert outcome.dropped["evidence"][0].as_py().count("first one is better") == 3
    assert outcome.metrics["lost"] == 2


def test_a_pointwise_judge_that_loses_an_answer_keeps_the_others_and_tells_which() -> None:
    [row] = judged(Deaf("bb"), batch_of("p"), "pointwise").rows.to_pylist()
    names = {answer["text"]: answer["answer_id"] for answer in prompt_row("p", TEXTS[:4])["answers"]}
    assert row["order"] == list(names.values())
    assert set(overalls(row)) == {names[text] for text in ("a", "ccc", "dddd")}
    assert row["faults"] == ["not_one_object"] * 3
    assert row["evidence"].startswith(f"answer {names['bb']}: no JSON object")
    assert [f"Attempt {attempt} at bb" in row["evidence"] for attempt in (1, 2, 3)] == [True] * 3


@pytest.mark.parametrize(("answers", "kept"), [(1, 0), (2, 0), (3, 1), (4, 1)])
def test_a_prompt_without_two_judged_answers_is_dropped(answers: int, kept: int) -> None:
    outcome = judged(Deaf("a"), batch_of("p", answers=answers), "pointwise")
    assert (outcome.rows.num_rows, outcome.dropped.num_rows) == (kept, 1 - kept)
    assert judged(Deaf("never"), batch_of("p", answers=1), "pointwise").rows.num_rows == 1


def test_a_reply_that_does_not_come_leaves_the_attempts_before_it_as_evidence() -> None:
    outcome = judged(Deaf(lost="a"), batch_of("p", answers=1), "pointwise")
    [row] = outcome.dropped.to_pylist()
    assert (row["reason"], row["detail"]) == ("endpoint_failed", "6 tries")
    assert "Attempt 1 at a" in row["evidence"]
    assert "status 500" in row["evidence"]
    assert (outcome.metrics["attempts"], outcome.metrics["unanswered"]) == (2, 1)


def test_one_lost_order_leaves_the_other() -> None:
    judge = ToyJudge("j", len)
    judged(judge, batch_of("p", answers=2))
    rows = judged(OneOrder(judge.asked[0].answers[0]), batch_of("p", answers=2), orders=2).rows.to_pylist()
    assert [len(row["assessments"]) for row in rows] == [2, 0]
    assert [row["evidence"] is None for row in rows] == [True, False]


@pytest.mark.parametrize(("mode", "orders"), PASSES)
def test_every_prompt_goes_on_or_is_dropped_and_every_answer_is_judged_or_told(mode: Mode, orders: int) -> None:
    prompts = [f"p{number:02d}" for number in range(40)]
    outcome = judged(Unsteady(), batch_of(*prompts, answers=3), mode, orders)
    rows, dropped = outcome.rows.to_pylist(), outcome.dropped["key"].to_pylist()
    kept = Counter(row["prompt_id"] for row in rows)
    assert sorted([*kept, *dropped]) == prompts
    assert set(kept.values()) == {orders}
    assert dropped
    for row in rows:
        lost = set(row["order"]) - set(overalls(row))
        assert all(name in (row["evidence"] or "") for name in lost)
        assert bool(lost) == (row["evidence"] is not None)


@pytest.mark.parametrize(("mode", "orders"), PASSES)
def test_judgements_do_not_depend_on_the_batch(mode: Mode, orders: int) -> None:
    alone = [judged(Unsteady(), batch_of(prompt), mode, orders) for prompt in "pqrstu"]
    together = judged(Unsteady(), batch_of(*"pqrstu"), mode, orders)
    assert pa.concat_tables([outcome.rows for outcome in alone]).equals(together.rows)
    assert pa.concat_tables([outcome.dropped for outcome in alone]).equals(together.dropped)
    summed = sum((Counter(outcome.metrics) for outcome in alone), Counter())
    assert {name: number for name, number in together.metrics.items() if number} == dict(summed)
