"""Scoring: one score per distinct answer, prompts refused whole."""

import pyarrow as pa

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.stages.score import SCORE, conversations_of, score_batch
from tests.stages.rows import ToyScorer, prompt_row


def batch_of(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PROMPTS).select(SCORE.reads.names)


def test_every_answer_gets_the_reward_of_its_own_conversation() -> None:
    row = prompt_row("p", ("one", "three"))
    scores = score_batch(batch_of(row), ToyScorer()).rows.to_pylist()
    assert [(score["answer_id"], score["prompt_id"], score["score"]) for score in scores] == [
        (row["answers"][0]["answer_id"], "p", 3.0),
        (row["answers"][1]["answer_id"], "p", 5.0),
    ]


def test_a_prompt_of_which_one_answer_cannot_be_scored_is_dropped_whole() -> None:
    outcome = score_batch(batch_of(prompt_row("p", ("one", "refuse")), prompt_row("q", ("fine", "good"))), ToyScorer())
    assert set(outcome.rows["prompt_id"].to_pylist()) == {"q"}
    assert outcome.dropped["key"].to_pylist() == ["p"]
    assert outcome.dropped["reason"].to_pylist() == ["prompt_too_long"]


def test_a_conversation_shows_the_images_then_the_question_then_the_answer() -> None:
    (conversation,) = conversations_of(prompt_row("p", ("yes",)))
    user, assistant = conversation.messages
    assert [part["type"] for part in user["content"]] == ["image", "text"]
    assert (assistant["role"], assistant["content"]) == ("assistant", "yes")
    assert len(conversation.images) == 1
