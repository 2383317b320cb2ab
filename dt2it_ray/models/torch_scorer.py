"""How a saved reward model scores conversations with plain torch, the same bytes whatever the batch and the threads."""

from collections.abc import Iterator, Sequence

import torch

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.collate import Encoded
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.prefix import prefix_batch, row_length, shared_length
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import RewardConfig, open_reward_model

TOKENS_PER_PASS = {"cpu": 1024, "cuda": 8192}
"""Padded tokens of one forward pass by kind of device. On a CPU the hidden states should stay in its caches."""
ANSWERS_PER_ROW = 16
"""More answers of a prompt than this become further rows: the attention mask grows with the square of a row."""


class TorchScorer:
    """Implements `Scorer`: answers of a prompt share its image and prompt tokens; rows are sorted by length."""

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
        self._model, self._device = model.to(device), device
        self.fingerprint = self.config.fingerprint

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Rewards in the order given, rounded to `decimals`; a conversation that cannot be encoded is `Dropped`."""
        encoded = [self.encoder.encode(conversation) for conversation in conversations]
        scores: list[float | Dropped] = [entry if isinstance(entry, Dropped) else 0.0 for entry in encoded]
        kept = [(place, entry) for place, entry in enumerate(encoded) if not isinstance(entry, Dropped)]
        answers = ANSWERS_PER_ROW if self.config.shared_prompt else 1
        for batch in _batches(kept, TOKENS_PER_PASS[torch.device(self._device).type], answers):
            rewards = self._rewards([[entry for _, entry in group] for group in batch])
            for (place, _), reward in zip((member for group in batch for member in group), rewards, strict=True):
                scores[place] = reward
        return scores

    def _rewards(self, groups: Sequence[Sequence[Encoded]]) -> list[float]:
        with torch.inference_mode():
            rewards = self._model(prefix_batch(groups, self.encoder).to(self._device))
        # Adding 0.0 turns -0.0 into 0.0, which has other bytes.
        bias = self.config.bias
        return [round(reward + bias, self._settings.decimals) + 0.0 for reward in rewards.double().tolist()]


Member = tuple[int, Encoded]


def _batches(kept: Sequence[Member], tokens: int, answers: int) -> Iterator[list[list[Member]]]:
    """Groups of one prompt, longest first, in batches of at most that many padded tokens (or one group)."""
    by_prompt: dict[str, list[Member]] = {}
    for member in kept:
        by_prompt.setdefault(member[1].prompt, []).append(member)
    groups = [group for members in by_prompt.values() for group in _rows(members, tokens, answers)]
    sized = sorted(((row_length([entry for _, entry in group]), group) for group in groups), key=lambda pair: -pair[0])
    while sized:
        count = max(1, tokens // sized[0][0])
        yield [group for _, group in sized[:count]]
        sized = sized[count:]


def _rows(members: Sequence[Member], tokens: int, answers: int) -> Iterator[list[Member]]:
    """The answers of one prompt in rows of at most that many tokens and answers (or one answer)."""
    shared = shared_length([entry for _, entry in members])
    row: list[Member] = []
    size = shared
    for member in members:
        own = len(member[1].ids) - shared
        if row and (len(row) == answers or size + own > tokens):
            yield row
            row, size = [], shared
        row.append(member)
        size += own
    yield row
