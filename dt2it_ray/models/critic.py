"""How answers are scored behind critiques of them: an engine writes the critiques, then the reward model reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dt2it_ray.data.chat import REWARD_SYSTEM, question_language, with_system
from dt2it_ray.data.critiques import with_request
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.assessment import Assessment, rewards_of
from dt2it_ray.models.protocols import Completion, Conversation, GenerationRequest, Generator, Scorer


class Critic:
    """Asks a generator for a critique of the last answer of conversations, in the words that training used."""

    def __init__(self, generator: Generator, system_prompts: Mapping[str, str] = REWARD_SYSTEM) -> None:
        """`system_prompts` are those of the reward model that reads the critiques."""
        self._generator, self._system_prompts = generator, system_prompts

    def write(self, conversations: Sequence[Conversation]) -> list[str | Dropped]:
        """A critique of each, in the order given; equal conversations are asked about once. A reply without text is
        `Dropped`."""
        requests = [self._request(conversation) for conversation in conversations]
        distinct = {request.key: request for request in requests}
        made = dict(zip(distinct, self._generator.generate(list(distinct.values())), strict=True))
        return [_text_of(made[request.key]) for request in requests]

    def _request(self, conversation: Conversation) -> GenerationRequest:
        messages = with_system(conversation.messages, self._system_prompts)
        asked = tuple(with_request(messages, question_language(messages)))
        key = content_id("critique", repr(asked), *conversation.images)
        return GenerationRequest(key, asked, conversation.images, samples=1)


NOTHING_WRITTEN = Dropped(DropReason.REPLY_INVALID, "the critic wrote nothing")


def _text_of(replies: list[Completion] | Dropped) -> str | Dropped:
    return replies if isinstance(replies, Dropped) else replies[0].text.strip() or NOTHING_WRITTEN


class AskedOnce:
    """Implements `Generator`: what was asked for last is not asked for again, as by the next member of an ensemble."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._last: tuple[list[GenerationRequest], list[list[Completion] | Dropped]] = ([], [])

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        """What the other one makes of the requests. What failed is tried again: a server may be back."""
        wanted = list(requests)
        asked, known = self._last
        made: list[list[Completion] | Dropped] = list(known) if asked == wanted else [NOTHING_WRITTEN for _ in wanted]
        missing = [place for place, replies in enumerate(made) if isinstance(replies, Dropped)]
        if missing:
            replies = self._generator.generate([wanted[place] for place in missing])
            for place, reply in zip(missing, replies, strict=True):
                made[place] = reply
            self._last = (wanted, made)
        return made


class CritiqueScorer:
    """Implements `Scorer`: has a critique written of every answer that has none, and scores the answer behind it."""

    def __init__(self, critic: Critic, scorer: Scorer, written_by: str = "") -> None:
        """`written_by` names who writes, where it is not simply the reward model: another writer, other rewards."""
        self._critic, self._scorer = critic, scorer
        both = content_id("critic", scorer.fingerprint, written_by)[:16]
        self.fingerprint = both if written_by else scorer.fingerprint

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Rewards in the order given; a conversation whose critique could not be written is `Dropped` with the
        reason."""
        return rewards_of(self.assess(conversations))

    def assess(self, conversations: Sequence[Conversation]) -> list[Assessment | Dropped]:
        """The same with the critiques."""
        bare = [place for place, conversation in enumerate(conversations) if conversation.critique is None]
        written = dict(zip(bare, self._critic.write([conversations[place] for place in bare]), strict=True))
        told: dict[int, Assessment | Dropped] = {}
        ready: dict[int, tuple[Conversation, str]] = {}
        for place, conversation in enumerate(conversations):
            critique = written.get(place, conversation.critique)
            if isinstance(critique, str):
                ready[place] = (replace(conversation, critique=critique), critique)
            elif critique is not None:
                told[place] = critique
        rewards = self._scorer.score([conversation for conversation, _ in ready.values()])
        for (place, (_, critique)), reward in zip(ready.items(), rewards, strict=True):
            told[place] = reward if isinstance(reward, Dropped) else Assessment(reward, critiques=(critique,))
        return [told[place] for place in range(len(conversations))]
