"""Which answers are added to a prompt's sampled ones, in which order, and who counts as their author."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dt2it_ray.data.ids import answer_id, content_id, unit_interval
from dt2it_ray.data.origins import DEGRADED
from dt2it_ray.rules.degrade import Degradation, degrade
from dt2it_ray.rules.near_duplicates import plain_text

WorseKind = Literal["contradiction", "colour", "number", "place", "yes_no", "entity", "truncation"]
BetterKind = Literal["reference", "engine"]


@dataclass(frozen=True)
class Addition:
    """A text that may join the answers, and who wrote it."""

    text: str
    origin: str


def in_turn(kinds: Sequence[str], prompt: str, order: Literal["drawn", "listed"]) -> list[str]:
    """The kinds in the order in which they are tried for a prompt: as listed, or by a hash of prompt and kind."""
    return list(kinds) if order == "listed" else sorted(kinds, key=lambda kind: unit_interval("turn", prompt, kind))


def answers_in_turn(answers: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    """The answers in the order in which they are tried for a kind: by a hash of kind and answer."""
    return sorted(answers, key=lambda answer: content_id("turn", kind, answer["answer_id"]))


def degradations(question: str, answers: Sequence[Mapping[str, Any]], kind: Degradation) -> Iterator[Addition]:
    """The answers made worse in one way, one after another, without those that have nothing of the kind."""
    for answer in answers_in_turn(answers, kind):
        others = [other["text"] for other in answers if other is not answer]
        worse = degrade(kind, question, answer["text"], others, answer["answer_id"])
        if worse is not None:
            yield Addition(worse, f"{DEGRADED}{kind}")


class Company:
    """The answers of one prompt, to which others that differ from all of them can be added."""

    def __init__(self, prompt: str, answers: Sequence[Mapping[str, Any]], origins: Sequence[str]) -> None:
        self._prompt = prompt
        self._answers = [(dict(answer), origin) for answer, origin in zip(answers, origins, strict=True)]
        self._plain = {plain_text(answer["text"]) for answer in answers}
        self.added: list[Addition] = []

    def admit(self, additions: Iterator[Addition]) -> bool:
        """Add the first one that says something else than all answers; whether there was one."""
        for addition in additions:
            plain = plain_text(addition.text)
            if plain and plain not in self._plain:
                self._plain.add(plain)
                named = {"answer_id": answer_id(self._prompt, addition.text), "text": addition.text}
                self._answers.append((named, addition.origin))
                self.added.append(addition)
                return True
        return False

    def row(self, samples: int) -> dict[str, Any]:
        """The row of CANDIDATES, answers in order of their ids."""
        ordered = sorted(self._answers, key=lambda pair: pair[0]["answer_id"])
        answers, origins = ([pair[side] for pair in ordered] for side in (0, 1))
        return {"prompt_id": self._prompt, "answers": answers, "origins": origins, "samples": samples}
