"""How the tiny model is taught: next-token loss on the learned answers of seeded lessons, from random weights."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.tiny.architecture import tiny_config
from dt2it_ray.models.tiny.batches import NOT_LEARNED, Batch, LessonChunks
from dt2it_ray.models.tiny.lessons import lesson
from dt2it_ray.models.tiny.tokenizer import train_tokenizer
from dt2it_ray.settings import Settings

CHUNK_BATCHES = 16
"""Batches cut from one chunk of lessons, so that a batch holds lessons of similar length."""


STATE_EVERY = 100
"""Steps between two writings of the state that a stopped training goes on from."""
PLACE_SCALE = 0.1
"""Standard deviation of the first position embeddings of image patches."""


class PretrainSettings(Settings):
    """How long and how fast the model learns."""

    seed: int = 1
    lessons: int = Field(default=128_000, ge=64)
    """Conversations shown, each once."""
    batch_lessons: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak of AdamW on embeddings, norms and biases; falls to a twentieth by a cosine."""
    matrix_learning_rate: float = Field(default=3e-3, gt=0)
    """Peak of Muon on all other matrices, on AdamW's scale (arXiv 2502.16982)."""
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """Part of the steps over which the rate rises."""
    weight_decay: float = Field(default=0.05, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    doubt: float = Field(default=0.15, ge=0, le=0.5)
    """Part of the answers that are wrong on purpose at the end, so that sampled candidates differ in truth."""
    doubt_from: float = Field(default=0.8, ge=0, le=1)
    """Part of the training after which wrong answers begin."""
    tokenizer_lessons: int = Field(default=20_000, ge=100)
    """Conversations that the tokenizer is trained on."""

    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.lessons // self.batch_lessons

    def share_of_peak(self, step: int) -> float:
        """Learning rate of a step as part of its peak: linear warm-up, then a cosine."""
        rising = max(1, round(self.warmup * self.steps()))
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, self.steps() - rising)
        return 0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2


def lesson_tokenizer(settings: PretrainSettings) -> PreTrainedTokenizerFast:
    """The tokenizer of the lessons' texts."""
    lessons = (lesson(f"tokenizer {settings.seed} {index}", 0.2) for index in range(settings.tokenizer_lessons))
    return train_tokenizer(turn.text for each in lessons for turn in each.turns)


def pretrain(
    settings: PretrainSettings,
    tokenizer: PreTrainedTokenizerFast,
    device: str,
    loaders: int,
    state: Path,
    watch: Callable[[int, float, Qwen3VLForConditionalGeneration], None],
) -> Qwen3VLForConditionalGeneration:
    """The taught model in float32. Lessons are made in `loaders` processes.

    What is needed to go on is written to the file `state` now and then; if it is there, the training goes on from it.
    `watch(step, smoothed loss, model)` is called after every step.
    """
    torch.manual_seed(settings.seed)
    model = _new_model(tokenizer).to(device)
    optimizers = _optimizers(model, settings)
    first, smooth = _resume(state, settings, model, optimizers) or (0, math.log(len(tokenizer)))
    for step, batch in enumerate(_batches(settings, tokenizer, loaders, first), start=first):
        with torch.autocast(device, torch.bfloat16):
            loss = lesson_loss(model, batch, device)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * settings.share_of_peak(step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        smooth = 0.98 * smooth + 0.02 * loss.item()
        watch(step + 1, smooth, model)
        if (step + 1) % STATE_EVERY == 0:
            _save_state(state, settings, model, optimizers, (step + 1, smooth))
    return model


def _new_model(tokenizer: PreTrainedTokenizerFast) -> Any:
    model = Qwen3VLForConditionalGeneration(tiny_config(tokenizer))
    # At transformers' 0.02 the places of patches drown in their colours.
    torch.nn.init.normal_(model.model.visual.pos_embed.weight, std=PLACE_SCALE)
    return model


def _save_state(state: Path, settings: PretrainSettings, model: Any, optimizers: Sequence[Any], place: Any) -> None:
    draft = state.with_suffix(".draft")
    told = {"settings": settings.model_dump(), "place": place, "model": model.state_dict()}
    torch.save(told | {"optimizers": [optimizer.state_dict() for optimizer in optimizers]}, draft)
    draft.replace(state)


def _resume(state: Path, settings: PretrainSettings, model: Any, optimizers: Sequence[Any]) -> tuple[int, float] | None:
    """The next step and the smoothed loss, with the model and the optimizers as they were; None to start.

    Raises:
        ConfigError: the state was left by a training with other settings.
    """
    if not state.exists():
        return None
    told = torch.load(state, weights_only=True)
    if told["settings"] != settings.model_dump():
        raise ConfigError(f"{state} was left by a training with other settings; delete it, or use those settings")
    model.load_state_dict(told["model"])
    for optimizer, stored in zip(optimizers, told["optimizers"], strict=True):
        optimizer.load_state_dict(stored)
    return told["place"]


def lesson_loss(model: Qwen3VLForConditionalGeneration, batch: Batch, device: str) -> torch.Tensor:
    """Mean cross-entropy of the learned tokens."""
    hidden = model.model(
        input_ids=batch.ids.to(device),
        position_ids=batch.positions.to(device),
        pixel_values=batch.pixels.to(device),
        image_grid_thw=batch.grids.to(device),
        use_cache=False,
    ).last_hidden_state
    wanted = batch.labels[:, 1:].to(device)
    learned = wanted != NOT_LEARNED
    logits = model.lm_head(hidden[:, :-1][learned])
    return torch.nn.functional.cross_entropy(logits.float(), wanted[learned])


def _batches(
    settings: PretrainSettings, tokenizer: PreTrainedTokenizerFast, loaders: int, first: int
) -> Iterator[Batch]:
    """The batches of the training from step `first` on, in an order that does not depend on the number of loaders."""
    per_chunk = CHUNK_BATCHES * settings.batch_lessons
    chunks = -(-settings.steps() // CHUNK_BATCHES)
    begin, doubtful = first // CHUNK_BATCHES, settings.doubt_from * chunks
    plan = [(number, settings.doubt if number >= doubtful else 0.0) for number in range(begin, chunks)]
    lessons = LessonChunks(tokenizer, settings.seed, per_chunk, settings.batch_lessons)
    loader: Any = DataLoader(lessons, batch_size=None, sampler=plan, num_workers=loaders, collate_fn=_as_is)
    made = (batch for chunk in loader for batch in chunk)
    yield from itertools.islice(made, first % CHUNK_BATCHES, settings.steps() - first + first % CHUNK_BATCHES)


def _as_is(chunk: list[Batch]) -> list[Batch]:
    return chunk


def _optimizers(model: Any, settings: PretrainSettings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the rest; norms and biases do not decay."""
    embeddings = {model.get_input_embeddings().weight, model.model.visual.pos_embed.weight}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim == 2 and parameter not in embeddings]
    others = [parameter for parameter in trained if parameter.ndim > 2 or parameter in embeddings]
    vectors = [parameter for parameter in trained if parameter.ndim < 2]
    decay, rate = settings.weight_decay, settings.learning_rate
    muon = torch.optim.Muon(
        [{"params": matrices, "peak": settings.matrix_learning_rate}],
        weight_decay=decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(
        [
            {"params": others, "peak": rate, "weight_decay": decay},
            {"params": vectors, "peak": rate, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.95),
        fused=True,
    )
    return [muon, adam]
