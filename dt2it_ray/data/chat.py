"""How a prompt and an answer become chat messages, for reward models, generators and judges alike."""

import re
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


def reward_messages(question: str, num_images: int, answer: str) -> list[Message]:
    """The conversation whose last token a reward model scores: system, user with images, assistant."""
    return [
        {"role": "system", "content": REWARD_SYSTEM[language_of(question)]},
        user_turn(question, num_images),
        {"role": "assistant", "content": answer},
    ]
