"""Judging: what is asked, what is accepted, and where refused replies go."""

import pyarrow as pa

from dt2it_ray.stages.judge import READS, judge_batch
from dt2it_ray.stages.judges import JudgeSettings
from tests.stages.rows import ToyJudge, prompt_row

TEXTS = ("a", "bb", "ccc", "dddd")


def batch_of(*prompts: str) -> pa.Table:
    return pa.Table.from_pylist([prompt_row(prompt, TEXTS) for prompt in prompts], schema=READS)


def overalls(judgement: dict) -> dict[str, float]:
    return {assessment["answer_id"]: assessment["overall"] for assessment in judgement["assessments"]}


def test_listwise_and_pointwise_give_the_same_answer_the_same_score_in_any_order() -> None:
    judged = {
        mode: judge_batch(batch_of("p"), ToyJudge("j", len), mode, JudgeSettings()).rows.to_pylist()[0]
        for mode in ("listwise", "pointwise")
    }
    expected = {answer["answer_id"]: float(len(answer["text"])) for answer in prompt_row("p", TEXTS)["answers"]}
    assert overalls(judged["listwise"]) == overalls(judged["pointwise"]) == expected


def test_a_listwise_judge_sees_shuffled_answers_and_the_order_is_kept() -> None:
    judge = ToyJudge("j", len)
    prompts = [f"p{number}" for number in range(20)]
    rows = judge_batch(batch_of(*prompts), judge, "listwise", JudgeSettings()).rows.to_pylist()
    assert len({request.answers for request in judge.asked}) > 5
    for request, row in zip(judge.asked, rows, strict=True):
        text_of = {answer["answer_id"]: answer["text"] for answer in prompt_row(row["prompt_id"], TEXTS)["answers"]}
        assert [text_of[name] for name in row["order"]] == list(request.answers)


def test_an_invalid_reply_is_asked_for_again_and_attempts_are_counted() -> None:
    outcome = judge_batch(batch_of("p"), ToyJudge("j", len, stutters=2), "listwise", JudgeSettings(attempts=3))
    assert outcome.rows["attempts"].to_pylist() == [3]


def test_a_reply_that_stays_invalid_drops_the_prompt_with_the_raw_text() -> None:
    outcome = judge_batch(batch_of("p", "q"), ToyJudge("j", len, stutters=9), "listwise", JudgeSettings())
    assert outcome.rows.num_rows == 0
    assert outcome.dropped["key"].to_pylist() == ["p", "q"]
    assert outcome.dropped["reason"].to_pylist() == ["reply_invalid"] * 2
    assert "first one is better" in outcome.dropped["evidence"][0].as_py()


def test_judgements_do_not_depend_on_the_batch() -> None:
    def judged(*prompts: str) -> pa.Table:
        return judge_batch(batch_of(*prompts), ToyJudge("j", len), "listwise", JudgeSettings()).rows

    assert pa.concat_tables([judged(prompt) for prompt in "pqr"]).equals(judged("p", "q", "r"))
