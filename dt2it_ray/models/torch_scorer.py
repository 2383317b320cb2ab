"""How a saved reward model scores conversations with plain torch, the same bytes whatever the batch and the threads."""

from collections.abc import Iterator, Sequence

import torch

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.collate import Encoded
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.packing import packed_batch
from dt2it_ray.models.prefix import row_length, shared_length
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import RewardConfig, open_reward_model

TOKENS_PER_PASS = {"cpu": 2048, "cuda": 8192}
"""Tokens of one forward pass by kind of device. On a CPU 512 were a fifth slower, 4096 not faster."""

NO_CRITIQUE = Dropped(
    DropReason.FIELD_INVALID,
    "the reward model reads a critique behind every answer, and there is none: have them written (models/critic.py)",
)


class TorchScorer:
    """Implements `Scorer`: answers of a prompt share its image and prompt tokens, and a pass holds many prompts."""

    def __init__(
        self,
        folder: str,
        settings: ScoreSettings | None = None,
        device: str = "cpu",
        threads: int | None = None,
        config: RewardConfig | None = None,
    ) -> None:
        """`config` stands in for what the folder of somebody else's model does not say."""
        if threads is not None:
            torch.set_num_threads(threads)
        self._settings = settings or ScoreSettings()
        model, self.encoder, self.config = open_reward_model(
            folder, self._settings.dtype, self._settings.collate, config
        )
        self.model, self._device = model.to(device), device
        self.fingerprint = self.config.fingerprint

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Rewards in the order given, rounded to `decimals`; a conversation that cannot be encoded is `Dropped`."""
        encoded = [self._encoded(conversation) for conversation in conversations]
        scores: list[float | Dropped] = [entry if isinstance(entry, Dropped) else 0.0 for entry in encoded]
        kept = [(place, entry) for place, entry in enumerate(encoded) if not isinstance(entry, Dropped)]
        tokens = TOKENS_PER_PASS[torch.device(self._device).type]
        for batch in _batches(kept, tokens, self.config.shared_prompt):
            rewards = self._rewards([[entry for _, entry in group] for group in batch])
            for (place, _), reward in zip((member for group in batch for member in group), rewards, strict=True):
                scores[place] = reward
        return scores

    def _encoded(self, conversation: Conversation) -> Encoded | Dropped:
        if self.config.critiques and not conversation.critique:
            return NO_CRITIQUE
        return self.encoder.encode(conversation)

    def _rewards(self, groups: Sequence[Sequence[Encoded]]) -> list[float]:
        with torch.inference_mode():
            rewards = self.model(packed_batch(groups, self.encoder).to(self._device))
        # Adding 0.0 turns -0.0 into 0.0, which has other bytes.
        bias = self.config.bias
        return [round(reward + bias, self._settings.decimals) + 0.0 for reward in rewards.double().tolist()]


Member = tuple[int, Encoded]


def _batches(kept: Sequence[Member], tokens: int, shares: bool) -> Iterator[list[list[Member]]]:
    """Groups of one prompt, longest first, in batches of at most that many tokens (or one group).

    Where prompts are not shared every answer is a group, a row that is padded to the longest, and padding counts.
    """
    by_prompt: dict[str, list[Member]] = {}
    for member in kept:
        by_prompt.setdefault(member[1].prompt, []).append(member)
    groups = [group for members in by_prompt.values() for group in _groups(members, tokens, shares)]
    sized = sorted(((_length(group), group) for group in groups), key=lambda pair: -pair[0])
    batch: list[list[Member]] = []
    size = longest = 0
    for length, group in sized:
        if batch and (size + length if shares else (len(batch) + 1) * longest) > tokens:
            yield batch
            batch, size = [], 0
        longest = longest if batch else length
        batch.append(group)
        size += length
    if batch:
        yield batch


def _length(group: Sequence[Member]) -> int:
    return row_length([encoded for _, encoded in group])


def _groups(members: Sequence[Member], tokens: int, shares: bool) -> Iterator[list[Member]]:
    """The answers of one prompt in groups of at most that many tokens (or one answer)."""
    shared = shared_length([entry for _, entry in members])
    group: list[Member] = []
    size = shared
    for member in members:
        own = len(member[1].ids) - shared
        if group and (not shares or size + own > tokens):
            yield group
            group, size = [], shared
        group.append(member)
        size += own
    yield group
