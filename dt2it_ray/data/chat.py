"""How a prompt and an answer become chat messages, for reward models, generators and judges alike."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

HAN = re.compile(r"[\u4e00-\u9fff]")

REWARD_SYSTEM = {
    "en": "You are an impartial evaluator. Judge how good the assistant's answer is.",
    "zh": "你是公正的评审。请判断助手的回答有多好。",
}
"""System prompts that cast the model as an impartial evaluator (arXiv 2604.19544; wording ours)."""

Message = dict[str, Any]


def language_of(text: str) -> str:
    """`zh` if the text contains a Han character, else `en` (the rule of arXiv 2604.19544)."""
    return "zh" if HAN.search(text) else "en"


def user_turn(question: str, num_images: int) -> Message:
    """A user message: the images first, then the question."""
    images = [{"type": "image"} for _ in range(num_images)]
    return {"role": "user", "content": [*images, {"type": "text", "text": question}]}


def asked(question: str, num_images: int, history: Sequence[Mapping[str, Any]] | None = None) -> list[Message]:
    """The turns of a prompt: its history (TURN rows), then the question with the images that no earlier turn shows."""
    before = [_turn(turn) for turn in history or ()]
    return [*before, user_turn(question, num_images - _shown(history))]


def answered(
    question: str, num_images: int, answer: str, history: Sequence[Mapping[str, Any]] | None = None
) -> list[Message]:
    """A prompt with an answer to it."""
    return [*asked(question, num_images, history), {"role": "assistant", "content": answer}]


def transcript(question: str, history: Sequence[Mapping[str, Any]] | None = None, num_images: int = 0) -> str:
    """The prompt as one text for a judge: the question alone, or all turns by role where there are earlier ones, each
    with the numbers of the pictures that it shows."""
    if not history:
        return question
    turns = [(turn["role"], turn["text"], turn["images"] or 0) for turn in history]
    numbers, told = iter(range(1, num_images + 1)), []
    for role, text, images in (*turns, ("user", question, num_images)):
        pictures = ", ".join(f"picture {number}" for number in itertools.islice(numbers, images))
        told.append(f"{role.capitalize()}{f' [{pictures}]' if pictures else ''}: {text}")
    return "\n\n".join(told)


def _shown(history: Sequence[Mapping[str, Any]] | None) -> int:
    """How many images the turns show."""
    return sum(turn["images"] or 0 for turn in history or ())


def _turn(turn: Mapping[str, Any]) -> Message:
    if turn["role"] == "user":
        return user_turn(turn["text"], turn["images"] or 0)
    return {"role": turn["role"], "content": turn["text"]}


def with_system(messages: Sequence[Message], prompts: Mapping[str, str]) -> list[Message]:
    """The messages with the system prompt of their last question's language in front, unless they have their own or
    there are no prompts."""
    if messages[0]["role"] == "system" or not prompts:
        return list(messages)
    return [{"role": "system", "content": prompts[question_language(messages)]}, *messages]


def question_language(messages: Sequence[Message]) -> str:
    """The language of the last user message."""
    asked = [message["content"] for message in messages if message["role"] == "user"]
    return language_of(asked[-1] if isinstance(asked[-1], str) else "".join(part.get("text", "") for part in asked[-1]))
