"""How answers are sampled with plain transformers and torch: the same text whatever shares the batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.models.collate import Encoded, open_encoder
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.prefix import PrefixBatch, prefix_batch
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.reward_model import gather
from dt2it_ray.models.weights import load_language_model

SEQUENCES_PER_PASS = 256
"""Most answers that grow side by side."""


@dataclass
class _Answer:
    """An answer as it grows. `draws` holds one number in [0, 1) per token, a function of seed, key and sample."""

    draws: np.ndarray
    tokens: list[int] = field(default_factory=list)
    finish_reason: str = "length"


@dataclass(frozen=True)
class _Waiting:
    """A request that can be answered, with its place in the list of requests and its answers."""

    place: int
    prompt: Encoded
    answers: list[_Answer]


class TransformersGenerator:
    """Implements `Generator`: each prompt is computed once, its answers grow together from copies of its cache."""

    def __init__(
        self,
        folder: str,
        settings: SamplingSettings,
        device: str = "cpu",
        threads: int | None = None,
        model: Any = None,
    ) -> None:
        """`model` is the folder's, where it is in memory already.

        Raises StoreError when the folder is no checkpoint, see `load_language_model`."""
        if threads is not None:
            torch.set_num_threads(threads)
        self._settings, self._device = settings, device
        self._encoder = open_encoder(folder, settings.collate)
        self._model = (model or load_language_model(folder, settings.dtype)).to(device)
        tokenizer = self._encoder.tokenizer
        self._stop = int(tokenizer.eos_token_id)
        vocabulary = self._model.config.text_config.vocab_size
        never = [*range(len(tokenizer), vocabulary), *(set(tokenizer.get_added_vocab().values()) - {self._stop})]
        self._never = torch.tensor(never, device=device)

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        """`samples` completions per request, in the order given; a prompt that cannot be encoded is `Dropped`."""
        made: list[list[Completion] | Dropped] = [[] for _ in requests]
        waiting = []
        for place, request in enumerate(requests):
            prompt = self._encoder.encode_prompt(request.messages, request.images)
            if isinstance(prompt, Dropped):
                made[place] = prompt
            else:
                answers = [_Answer(self._draws(request.key, sample)) for sample in range(request.samples)]
                waiting.append(_Waiting(place, prompt, answers))
        for batch in _batches(waiting):
            with torch.inference_mode():
                self._grow(batch)
            for entry in batch:
                made[entry.place] = [self._completion(answer) for answer in entry.answers]
        return made

    def _draws(self, key: str, sample: int) -> np.ndarray:
        seed = int(content_id("sample", self._settings.seed, key, sample), 16)
        return np.random.Generator(np.random.Philox(seed)).random(self._settings.max_new_tokens)

    def _grow(self, batch: Sequence[_Waiting]) -> None:
        """Extend every answer of the batch until it stops or is cut off."""
        prompts = prefix_batch([[entry.prompt] for entry in batch], self._encoder).to(self._device)
        copies = torch.tensor([len(entry.answers) for entry in batch], device=self._device)
        growing = [answer for entry in batch for answer in entry.answers]
        cache = DynamicCache()
        logits = self._read_prompts(prompts, cache).repeat_interleave(copies, dim=0)
        cache.batch_select_indices(torch.repeat_interleave(copies))
        seen = (prompts.branch >= 0).repeat_interleave(copies, dim=0)
        positions = prompts.positions.amax(dim=(0, 2)).repeat_interleave(copies)
        for step in range(self._settings.max_new_tokens):
            tokens = self._pick(logits, np.array([answer.draws[step] for answer in growing]))
            going = self._append(growing, tokens.tolist())
            if not going:
                return
            if len(going) < len(growing):
                rows = torch.tensor(going, device=self._device)
                cache.batch_select_indices(rows)
                tokens, seen, positions = tokens[rows], seen[rows], positions[rows]
                growing = [growing[row] for row in going]
            positions = positions + 1
            seen = torch.nn.functional.pad(seen, (0, 1), value=True)
            logits = self._read_tokens(tokens, positions, seen, cache)

    def _read_prompts(self, batch: PrefixBatch, cache: DynamicCache) -> torch.Tensor:
        """[B, vocabulary] logits after the last token of each prompt; the cache then holds the prompts."""
        backbone = self._model.model
        embeddings = backbone.get_input_embeddings()(batch.ids)
        visual = {}
        if batch.patches is not None:
            seen = backbone.get_image_features(batch.patches, batch.grids, return_dict=True)
            places = batch.ids == backbone.config.image_token_id
            embeddings = embeddings.masked_scatter(places[..., None], gather(seen.pooler_output, batch.shown))
            deep = [gather(layer, batch.shown) for layer in seen.deepstack_features]
            visual = {"visual_pos_masks": places, "deepstack_visual_embeds": deep}
        hidden = backbone.language_model(
            inputs_embeds=embeddings,
            attention_mask=batch.mask(embeddings.dtype),
            position_ids=batch.positions,
            past_key_values=cache,
            use_cache=True,
            **visual,
        ).last_hidden_state
        return self._model.lm_head(hidden[batch.last[:, 0], batch.last[:, 1]])

    def _read_tokens(
        self, tokens: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, cache: DynamicCache
    ) -> torch.Tensor:
        """[N, vocabulary] logits after one more token of each answer. `seen` [N, L] is false for padding."""
        backbone = self._model.model
        embeddings = backbone.get_input_embeddings()(tokens[:, None])
        mask = torch.zeros(seen.shape, dtype=embeddings.dtype, device=seen.device)
        mask = mask.masked_fill_(~seen, torch.finfo(embeddings.dtype).min)[:, None, None]
        hidden = backbone.language_model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions[None, :, None].expand(3, -1, 1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self._model.lm_head(hidden[:, -1])

    def _pick(self, logits: torch.Tensor, draws: np.ndarray) -> torch.Tensor:
        """[N] token ids: the likeliest at temperature 0, else the one whose share of the distribution is drawn."""
        logits = logits.double().index_fill(1, self._never, -torch.inf)
        if not self._settings.temperature:
            return logits.argmax(dim=1)
        shares = (logits / self._settings.temperature).softmax(dim=1)
        if self._settings.top_p < 1:
            ordered, order = shares.sort(dim=1, descending=True, stable=True)
            beyond = ordered.cumsum(dim=1) - ordered >= self._settings.top_p
            shares = shares.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), 0)
        reached = shares.cumsum(dim=1)
        wanted = torch.from_numpy(draws).to(reached.device)[:, None] * reached[:, -1:]
        return (reached <= wanted).sum(dim=1).clamp(max=logits.shape[1] - 1)

    def _append(self, growing: Sequence[_Answer], tokens: Sequence[int]) -> list[int]:
        """Give every answer its token; which answers go on."""
        going = []
        for row, (answer, token) in enumerate(zip(growing, tokens, strict=True)):
            if token == self._stop:
                answer.finish_reason = "stop"
                continue
            answer.tokens.append(token)
            if len(answer.tokens) < self._settings.max_new_tokens:
                going.append(row)
        return going

    def _completion(self, answer: _Answer) -> Completion:
        text = self._encoder.tokenizer.decode(answer.tokens, skip_special_tokens=True)
        return Completion(text, answer.finish_reason, len(answer.tokens))


def _batches(waiting: Sequence[_Waiting]) -> Iterator[list[_Waiting]]:
    """Prompts of like length together, at most `SEQUENCES_PER_PASS` answers at once (one prompt at least)."""
    batch: list[_Waiting] = []
    for entry in sorted(waiting, key=lambda entry: len(entry.prompt.ids)):
        if batch and sum(len(other.answers) for other in [*batch, entry]) > SEQUENCES_PER_PASS:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch
