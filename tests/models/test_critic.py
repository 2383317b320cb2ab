"""Critiques are asked for in the words of training, and answers without one are not scored."""

from collections.abc import Sequence

from dt2it_ray.data.chat import answered
from dt2it_ray.data.critiques import CRITIQUE_REQUEST
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.critic import AskedOnce, Critic, CritiqueScorer
from dt2it_ray.models.protocols import Completion, Conversation, GenerationRequest


def conversation(answer: str, critique: str | None = None) -> Conversation:
    return Conversation(tuple(answered("How many?", 1, answer)), (b"image",), critique)


class FakeCritic:
    """Implements `Generator`: writes what it is told for each answer."""

    def __init__(self, texts: dict[str, str | Dropped]) -> None:
        self.texts, self.asked = texts, list[GenerationRequest]()

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        self.asked += requests
        made = [self.texts[request.messages[-2]["content"]] for request in requests]
        return [text if isinstance(text, Dropped) else [Completion(text, "stop", 1)] for text in made]


class FakeScorer:
    """Implements `Scorer`: the length of the critique."""

    fingerprint = "fake"

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        return [float(len(conversation.critique or "")) for conversation in conversations]


def test_an_answer_that_no_critique_is_written_of_is_dropped_with_the_reason() -> None:
    gone = Dropped(DropReason.ENDPOINT_FAILED, "the server is away")
    generator = FakeCritic({"one": "short", "two": gone, "three": "  "})
    scorer = CritiqueScorer(Critic(generator), FakeScorer())
    asked = [conversation("one"), conversation("two"), conversation("four", "given"), conversation("three")]
    first, second, third, fourth = scorer.score(asked)
    assert (first, second, third) == (5.0, gone, 5.0)
    assert isinstance(fourth, Dropped)
    assert fourth.detail == "the critic wrote nothing"
    assert [request.messages[-1]["content"] for request in generator.asked] == [CRITIQUE_REQUEST["en"]] * 3
    assert len({request.key for request in generator.asked}) == 3
    assert scorer.fingerprint == "fake"


def test_what_failed_is_asked_for_again_and_what_was_written_is_not() -> None:
    generator = FakeCritic({"one": Dropped(DropReason.ENDPOINT_FAILED, "the server is away")})
    critic = Critic(AskedOnce(generator))
    assert isinstance(critic.write([conversation("one")])[0], Dropped)
    generator.texts["one"] = "short"
    assert [critic.write([conversation("one")]) for _ in range(2)] == [["short"], ["short"]]
    assert len(generator.asked) == 2
