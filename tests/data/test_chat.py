"""The conversation a reward model reads."""

import pytest

from dt2it_ray.data.chat import REWARD_SYSTEM, answered, asked, language_of, transcript, user_turn, with_system


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many?", "en"),
        ("", "en"),
        ("图中有几个圆?", "zh"),
        ("What does 猫 mean?", "zh"),
        ("¿Cuántos?", "en"),
        ("こ", "en"),
    ],
)
def test_one_han_character_makes_a_text_chinese(text: str, language: str) -> None:
    assert language_of(text) == language


def test_images_come_before_the_question() -> None:
    assert user_turn("Q", 2)["content"] == [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "Q"}]
    assert user_turn("Q", 0)["content"] == [{"type": "text", "text": "Q"}]


@pytest.mark.parametrize(("question", "answer", "language"), [("Q", "答", "en"), ("问", "A", "zh")])
def test_the_question_and_not_the_answer_chooses_the_system_prompt(question: str, answer: str, language: str) -> None:
    system, user, assistant = with_system(answered(question, 1, answer), REWARD_SYSTEM)
    assert system == {"role": "system", "content": REWARD_SYSTEM[language]}
    assert user == user_turn(question, 1)
    assert assistant == {"role": "assistant", "content": answer}


def test_the_last_question_of_a_chat_chooses_the_system_prompt() -> None:
    turns = [*answered("Hello", 0, "Hi"), *answered("你好", 0, "Hi")]
    assert with_system(turns, {"en": "E", "zh": "Z"}) == [{"role": "system", "content": "Z"}, *turns]
    plain = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    assert with_system(plain, {"en": "E", "zh": "Z"})[0] == {"role": "system", "content": "E"}


def test_a_system_message_that_is_there_is_kept() -> None:
    turns = [{"role": "system", "content": "Be strict."}, *answered("Q", 0, "A")]
    assert with_system(turns, REWARD_SYSTEM) == turns


HISTORY = [
    {"role": "system", "text": "Be strict.", "images": 0},
    {"role": "user", "text": "What is it?", "images": 1},
    {"role": "assistant", "text": "A cat.", "images": 0},
]


def test_the_question_shows_the_images_that_no_earlier_turn_shows() -> None:
    system, first, reply, last = asked("And these?", 3, HISTORY)
    assert (system, first) == ({"role": "system", "content": "Be strict."}, user_turn("What is it?", 1))
    assert reply == {"role": "assistant", "content": "A cat."}
    assert last == user_turn("And these?", 2)


def test_a_judge_reads_all_turns_and_a_question_without_history_as_it_is() -> None:
    assert transcript("And these?") == transcript("And these?", []) == "And these?"
    told = "System: Be strict.\n\nUser: What is it?\n\nAssistant: A cat.\n\nUser: And these?"
    assert transcript("And these?", HISTORY) == told


def test_a_judge_is_told_which_picture_each_turn_shows() -> None:
    before = "System: Be strict.\n\nUser [picture 1]: What is it?\n\nAssistant: A cat.\n\n"
    assert transcript("And these?", HISTORY, 3) == f"{before}User [picture 2, picture 3]: And these?"
    assert transcript("And now?", HISTORY, 1) == f"{before}User: And now?"
    assert transcript("And these?", [], 2) == "And these?"


def test_without_system_prompts_messages_stay_as_they_are() -> None:
    messages = answered("How many?", 0, "three")
    assert with_system(messages, {}) == messages
