"""Question and answers inside a judge's prompt: LLaVA-Critic, whose verdict is prose, and R1-Reward."""

import json
from typing import Any

import pytest

from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from tests.data.formats.preferences.reading import named, only, refusal, texts

CRITIC_PROMPT = (
    "<image>\nJudge the answers. Your task is provided as follows:\n"
    "Question: [What is [it]?]\nThe first response: [A cat.]\nThe second response: [A dog.]\nASSISTANT:\n"
)
R1_PROMPT = (
    "Compare the answers.\n###### **Input:**  \n###### [Question]:\nWhat is [it]?  \n\n"
    "###### [Response 1]:\nA cat.  \n\n###### [Response 2]:\nA dog.  \n\n"
    "###### **Output Format (strictly follow):**  \n<answer>1/2</answer>"
)


def critic(verdict: str, prompt: str = CRITIC_PROMPT) -> dict[str, Any]:
    turns = [{"from": "human", "value": prompt}, {"from": "gpt", "value": verdict}]
    return {"id": "c1", "source": "svit", "conversations": turns, "image": "1.jpg"}


def r1(answer: Any, text: str = R1_PROMPT) -> dict[str, Any]:
    parts = [{"type": "text", "text": text}, {"type": "image", "image": "/data/1.jpg"}]
    return {"message": json.dumps([{"role": "user", "content": parts}]), "answer": answer}


@pytest.mark.parametrize(
    ("verdict", "chosen"),
    [
        ("The first response is better: it is right.", "A cat."),
        ("It errs. Overall, the second response is better.", "A dog."),
        ("The second response is slightly better because it is longer.", "A dog."),
        ("One may say the first response is better. But in truth the second response is better.", "A dog."),
    ],
)
def test_the_last_verdict_of_the_text_counts(verdict: str, chosen: str) -> None:
    found = only("llava_critic", critic(verdict))
    assert (found.question, found.chosen) == ("What is [it]?", chosen)
    assert (found.images, found.item, found.source) == (named("1.jpg"), "c1", "svit")


@pytest.mark.parametrize("verdict", ["The two responses are equally good.", "Both responses are equally right."])
def test_an_equal_verdict_makes_no_pair(verdict: str) -> None:
    assert PREFERENCE_FORMATS["llava_critic"].parse(critic(verdict)) == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (critic("Hard to say."), "conversations[1].value: 'Hard to say.' names no better response"),
        (critic("The first response is not better."), "names no better response"),
        (critic("The first response is better.", "<image>Which?"), "does not show a question and two responses"),
        (critic("x") | {"image": None}, "conversations[0].value: 1 <image> for 0 images"),
        (critic("x") | {"conversations": [{"from": "human", "value": "<image>Q"}]}, "1 turns, not a prompt and a ver"),
        (r1("3"), "field answer: '3' is neither 1 nor 2"),
        (r1(["1", "2"]), "field answer"),
        (r1("1", "Which?"), "field message: the prompt does not show"),
        (r1("1") | {"message": "{"}, "field message: '{' is not JSON"),
        (r1("1") | {"message": "[]"}, "field message: does not end with the judge's prompt"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(row: dict[str, Any], told: str) -> None:
    assert told in refusal("r1_reward" if "message" in row else "llava_critic", row)


@pytest.mark.parametrize("answer", ["2", 2, "<answer>2</answer>", ["<answer>2</answer>"]])
def test_the_answer_of_r1_reward_is_a_number_in_tags_or_not(answer: Any) -> None:
    found = only("r1_reward", r1(answer))
    assert texts(found) == ("What is [it]?", "A dog.", "A cat.")
    assert found.images == named("/data/1.jpg")


def test_the_column_of_the_question_counts_before_the_prompt_and_the_last_section_may_be_missing() -> None:
    short = R1_PROMPT.partition("###### **Output")[0]
    assert only("r1_reward", r1("1", short) | {"question": "What?"}).question == "What?"
