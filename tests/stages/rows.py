"""Small prompt rows, and judges and scorers that say what they are told."""

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from dt2it_ray.data.criteria import CRITERIA
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import answer_id
from dt2it_ray.models.protocols import Completion, Conversation, GenerationRequest, JudgeRequest


def png(red: int = 0, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (red, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


def prompt_row(prompt: str, texts: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    """A prompt row with one image and an answer per text."""
    row = {
        "prompt_id": prompt,
        "source": "toy",
        "category": "colour",
        "language": "en",
        "images": [{"bytes": png(), "path": None}],
        "history": None,
        "question": f"What is {prompt}?",
        "reference": None,
        "scene": None,
        "answers": [{"answer_id": answer_id(prompt, text), "text": text} for text in texts],
        "labels": [],
    }
    return row | fields


def form(overalls: Sequence[int]) -> str:
    """A valid rubric reply that gives each answer the same score on every criterion."""
    weights = dict(zip(CRITERIA, (0.5, 0.1, 0.1, 0.1, 0.1, 0.1), strict=True))
    answers = [
        {
            "index": place + 1,
            "analysis": dict.fromkeys(CRITERIA, ""),
            "scores": dict.fromkeys(CRITERIA, overall),
            "overall": overall,
        }
        for place, overall in enumerate(overalls)
    ]
    return json.dumps({"reference": "", "weights": weights, "answers": answers})


class ToyJudge:
    """Scores every answer by a function of its text; its first `stutters` replies to a request are no JSON."""

    def __init__(self, name: str, worth: Callable[[str], int], stutters: int = 0, first_bonus: int = 0) -> None:
        self.name, self._worth, self._stutters, self._first_bonus = name, worth, stutters, first_bonus
        self.asked: list[JudgeRequest] = []

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str]:
        self.asked += requests
        return [self._reply(request) for request in requests]

    def _reply(self, request: JudgeRequest) -> str:
        if request.attempt <= self._stutters:
            return "I think the first one is better."
        bonus = [self._first_bonus, *[0] * (len(request.answers) - 1)]
        return form([self._worth(text) + extra for text, extra in zip(request.answers, bonus, strict=True)])


class ToyScorer:
    """Rewards the length of the answer; refuses conversations that say `refuse`."""

    fingerprint = "toy"

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        texts = [conversation.messages[-1]["content"] for conversation in conversations]
        return [Dropped("prompt_too_long", "told to") if text == "refuse" else float(len(text)) for text in texts]


class ToyGenerator:
    """Answers every prompt with the texts it was given for it."""

    def __init__(self, texts: dict[str, list[str]]) -> None:
        self._texts = texts

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        return [
            [Completion(text, "stop", len(text)) for text in self._texts[request.key]]
            if request.key in self._texts
            else Dropped("image_undecodable", "not an image")
            for request in requests
        ]
