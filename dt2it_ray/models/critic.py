"""How answers are scored behind critiques of them: an engine writes the critiques, then the reward model reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dt2it_ray.data.chat import REWARD_SYSTEM, question_language, with_system
from dt2it_ray.data.critiques import with_request
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.protocols import Conversation, GenerationRequest, Generator, Scorer


class Critic:
    """Asks a generator for a critique of the last answer of conversations, in the words that training used."""

    def __init__(self, generator: Generator, system_prompts: Mapping[str, str] = REWARD_SYSTEM) -> None:
        """`system_prompts` are those of the reward model that reads the critiques."""
        self._generator, self._system_prompts = generator, system_prompts

    def write(self, conversations: Sequence[Conversation]) -> list[str | Dropped]:
        """A critique of each, in the order given. A reply without text is `Dropped`."""
        made = self._generator.generate([self._request(conversation) for conversation in conversations])
        return [
            replies if isinstance(replies, Dropped) else replies[0].text.strip() or NOTHING_WRITTEN for replies in made
        ]

    def _request(self, conversation: Conversation) -> GenerationRequest:
        messages = with_system(conversation.messages, self._system_prompts)
        asked = tuple(with_request(messages, question_language(messages)))
        key = content_id("critique", repr(asked), *conversation.images)
        return GenerationRequest(key, asked, conversation.images, samples=1)


NOTHING_WRITTEN = Dropped(DropReason.REPLY_INVALID, "the critic wrote nothing")


class CritiqueScorer:
    """Implements `Scorer`: has a critique written of every answer that has none, and scores the answer behind it."""

    def __init__(self, critic: Critic, scorer: Scorer) -> None:
        self._critic, self._scorer = critic, scorer
        self.fingerprint = scorer.fingerprint

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Rewards in the order given; a conversation whose critique could not be written is `Dropped` with the
        reason."""
        bare = [place for place, conversation in enumerate(conversations) if conversation.critique is None]
        written = dict(zip(bare, self._critic.write([conversations[place] for place in bare]), strict=True))
        scores: list[float | Dropped] = [0.0] * len(conversations)
        ready: dict[int, Conversation] = {}
        for place, conversation in enumerate(conversations):
            critique = written.get(place, conversation.critique)
            if isinstance(critique, Dropped):
                scores[place] = critique
            else:
                ready[place] = replace(conversation, critique=critique)
        for place, reward in zip(ready, self._scorer.score(list(ready.values())), strict=True):
            scores[place] = reward
        return scores
