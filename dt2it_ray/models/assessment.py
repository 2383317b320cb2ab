"""What a scorer tells of a conversation beside its reward: how far its members disagree, and what it read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.protocols import Conversation, Scorer


@dataclass(frozen=True)
class Assessment:
    """The reward of one conversation and what there is to tell of it."""

    reward: float
    spread: float | None = None
    """Standard deviation between the rewards of several models (n - 1); None of one model."""
    critiques: tuple[str, ...] = ()
    """The critiques that the reward was read behind, each text once, in the order of the models; none of a model that
    reads none."""


@runtime_checkable
class Assessor(Protocol):
    """A scorer that has more to tell than rewards."""

    def assess(self, conversations: Sequence[Conversation]) -> list[Assessment | Dropped]: ...


def assess(scorer: Scorer, conversations: Sequence[Conversation]) -> list[Assessment | Dropped]:
    """All that a scorer tells of conversations, in their order, with the rewards that its `score` gives."""
    if isinstance(scorer, Assessor):
        return scorer.assess(conversations)
    return [told if isinstance(told, Dropped) else Assessment(told) for told in scorer.score(conversations)]


def rewards_of(told: Sequence[Assessment | Dropped]) -> list[float | Dropped]:
    """The rewards alone."""
    return [each if isinstance(each, Dropped) else each.reward for each in told]
