"""A reward model that needs no torch: its reward counts characters and image bytes, and it records its batches."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.protocols import Conversation

CLOSED = "closed"
"""A file in a model's folder: while it is there, the model does not answer."""
GATE_LIMIT_S = 60


class FakeScorer:
    """Behaves by its folder: `bias.txt` is added to rewards, batch sizes are appended to `batches.jsonl`.

    It waits while the folder holds a file `CLOSED`; an answer `explode` raises, `too long` is dropped.
    """

    def __init__(self, folder: str, **_: Any) -> None:
        self._folder = Path(folder)
        self._bias = float((self._folder / "bias.txt").read_text())
        self.fingerprint = f"fingerprint-of-{self._folder.name}"

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Rewards by `fake_reward`."""
        until = time.monotonic() + GATE_LIMIT_S
        while (self._folder / CLOSED).exists() and time.monotonic() < until:
            time.sleep(0.01)
        with (self._folder / "batches.jsonl").open("a") as log:
            log.write(json.dumps(len(conversations)) + "\n")
        answers = [conversation.messages[-1]["content"] for conversation in conversations]
        if "explode" in answers:
            raise RuntimeError("the fake model explodes")
        return [
            Dropped(DropReason.PROMPT_TOO_LONG, "9 tokens, more than 8")
            if answer == "too long"
            else fake_reward(conversation, self._bias)
            for answer, conversation in zip(answers, conversations, strict=True)
        ]


def fake_reward(conversation: Conversation, bias: float) -> float:
    """A number that changes with every text, image and role, and with their order."""
    total = bias
    for place, message in enumerate(conversation.messages, start=1):
        total += place * len(str(message)) / 7
    return total + sum(place * len(image) for place, image in enumerate(conversation.images, start=1)) / 11


def write_fake_model(folder: Path, bias: float) -> str:
    """A folder that FakeScorer opens."""
    folder.mkdir(parents=True)
    (folder / "bias.txt").write_text(str(bias))
    return str(folder)
