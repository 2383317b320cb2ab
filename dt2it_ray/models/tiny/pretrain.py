"""How the tiny model is taught, from random weights: first to see, then by next-token loss on answers of lessons and
by telling right answers from wrong ones."""

import hashlib
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from dt2it_ray.models.tiny.architecture import tiny_config
from dt2it_ray.models.tiny.batches import NOT_LEARNED, VERDICTS, Batch, LessonChunks
from dt2it_ray.models.tiny.lessons import Course, lesson
from dt2it_ray.models.tiny.optimizers import Optimizer, Rates
from dt2it_ray.models.tiny.pretrain_state import Progress, resume, save_state
from dt2it_ray.models.tiny.sight import Sight, ViewBatches
from dt2it_ray.models.tiny.tokenizer import train_tokenizer
from dt2it_ray.models.tiny.views import Views
from dt2it_ray.settings import Settings

WEIGHTS = {"word": 3.0, "position": 3.0}
"""Families of questions that scenes seldom allow, or that are learned last."""
ANSWER_DRILLS = Course(drills=1, lies=False, weights=WEIGHTS)
VERDICT_DRILLS = Course(drills=0.9, weights=WEIGHTS)
"""With some whole lessons, so that the first sentences are no shock later."""
LESSONS = Course(drills=0.15, comparisons=0.25, statements=0.5, weights=WEIGHTS)
"""Drills go on to the end, and become harder. In a run that had statements and comparisons from the start (and narrower
layers), the model told right from wrong by chance after 3,100 steps."""
CHUNK_BATCHES = 16
"""Batches cut from one chunk of lessons, so that a batch holds lessons of similar length."""
STATE_EVERY = 100
"""Steps between two writings of the state that a stopped training goes on from."""
DIGESTED_LESSONS = 50
"""Of every course, to tell whether a state was left by the same lessons."""
TOKEN_LENGTH = 4.0
"""Of image tokens when the lessons begin; word embeddings grow to about half of it."""
VERDICT_GAIN = 2.0
"""Verdicts are the first coordinates of the hidden state times this, so that they are loud in it and the head of a
reward model finds them in a few hundred pairs."""
VERDICT_WEIGHT = 3.0
"""Of the verdicts in the loss. Next tokens are learned sooner than verdicts on whole answers."""
PLACE_SCALE = 0.1
"""Standard deviation of the first position embeddings of image patches."""


class PretrainSettings(Settings):
    """How long and how fast the model learns."""

    seed: int = 1
    lessons: int = Field(default=97_600, ge=64)
    """Conversations shown, each once."""
    batch_lessons: int = Field(default=16, ge=1)
    rates: Rates = Rates()
    sight_batches: int = Field(default=900, ge=0)
    """Batches of pictures that the vision part is taught on beforehand."""
    sight_images: int = Field(default=64, ge=1)
    """Pictures in each of them."""
    answer_drills: float = Field(default=0.31, ge=0, le=1)
    """Part of the training, at its start, in which lessons are drills in answering."""
    verdict_drills: float = Field(default=0.23, ge=0, le=1)
    """Part after that in which they are mostly drills in answering and in telling whether answers are right."""
    doubt: float = Field(default=0.3, ge=0, le=1)
    """Part of the wrong answers that are learned at the end, so that sampled candidates differ in truth."""
    doubt_from: float = Field(default=0.85, ge=0, le=1)
    """Part of the training after which that begins."""
    tokenizer_lessons: int = Field(default=20_000, ge=100)
    """Conversations that the tokenizer is trained on."""

    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.lessons // self.batch_lessons


def lesson_tokenizer(settings: PretrainSettings) -> PreTrainedTokenizerFast:
    """The tokenizer of the lessons' texts."""
    course = Course(doubt=0.2, weights=WEIGHTS)
    lessons = (lesson(f"tokenizer {settings.seed} {index}", course) for index in range(settings.tokenizer_lessons))
    return train_tokenizer(turn.text for each in lessons for turn in each.turns)


def pretrain(
    settings: PretrainSettings,
    tokenizer: PreTrainedTokenizerFast,
    device: str,
    loaders: int,
    state: Path,
    watch: Callable[[Progress, Qwen3VLForConditionalGeneration], None],
) -> tuple[Qwen3VLForConditionalGeneration, Progress]:
    """The taught model in float32, and what it took. Lessons are made in `loaders` processes.

    What is needed to go on is written to the file `state` now and then; if it is there, the training goes on from it.
    `watch` is called after every step.
    """
    began = time.monotonic()
    identity = {"settings": settings.model_dump(), "lessons": _digest_of_lessons()}
    torch.manual_seed(settings.seed)
    pupil = Pupil(tokenizer).to(device)
    optimizer = pupil.optimizer(pupil.model.model.language_model, settings.rates, settings.steps())
    done = resume(state, identity, pupil, optimizer)
    if done is None:
        _teach_sight(pupil, settings, device, loaders)
        done = Progress(0, math.log(len(tokenizer)), time.monotonic() - began)
        save_state(state, identity, pupil, optimizer, done)
    began = time.monotonic() - done.seconds
    pupil.vision.requires_grad_(False)
    for step, batch in enumerate(_batches(settings, tokenizer, loaders, done.step), start=done.step):
        with torch.autocast(device, torch.bfloat16):
            loss = pupil.lesson_loss(batch, device)
        loss.backward()
        optimizer.step(step)
        done = Progress(step + 1, 0.98 * done.loss + 0.02 * loss.item(), time.monotonic() - began)
        watch(done, pupil.model)
        if done.step % STATE_EVERY == 0:
            save_state(state, identity, pupil, optimizer, done)
    return pupil.model, done


class Pupil(torch.nn.Module):
    """The model that is taught, with heads that it loses afterwards, by which its sight is examined."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__()
        self.model: Any = Qwen3VLForConditionalGeneration(tiny_config(tokenizer))
        self.vision: Any = self.model.model.visual
        self.mergers = [self.vision.merger, *self.vision.deepstack_merger_list]
        self.sights: Any = torch.nn.ModuleList(Sight(self.vision.config.out_hidden_size) for _ in self.mergers)
        # At transformers' 0.02 the places of patches drown in their colours.
        torch.nn.init.normal_(self.vision.pos_embed.weight, std=PLACE_SCALE)

    def optimizer(self, part: torch.nn.Module, rates: Rates, steps: int) -> Optimizer:
        """An optimizer of a part of the pupil."""
        return Optimizer(part, [self.model.get_input_embeddings().weight, self.vision.pos_embed.weight], rates, steps)

    def look(self, views: Views) -> list[torch.Tensor]:
        """[tokens, hidden] of every merger, that of the last layer first."""
        seen = self.vision(views.pixels, grid_thw=views.grids)
        return [seen.pooler_output, *seen.deepstack_features]

    def sight_loss(self, views: Views) -> torch.Tensor:
        """How badly image tokens tell what they show."""
        losses = [sight.loss(tokens, views) for sight, tokens in zip(self.sights, self.look(views), strict=True)]
        return torch.stack(losses).sum()

    @torch.no_grad()
    def settle(self, views: Views) -> None:
        """Give image tokens the length `TOKEN_LENGTH`, so that what the language model adds to them counts."""
        for merger, tokens in zip(self.mergers, self.look(views), strict=True):
            scale = TOKEN_LENGTH / tokens.float().norm(dim=-1).mean()
            merger.linear_fc2.weight.mul_(scale)
            merger.linear_fc2.bias.mul_(scale)

    def lesson_loss(self, batch: Batch, device: str) -> torch.Tensor:
        """Mean cross-entropy of the learned tokens, and of the verdicts if there are any: at the end of an answer
        whether it is right and whether all else it says is, at the end of a sentence whether it is true."""
        hidden = self.model.model(
            input_ids=batch.ids.to(device),
            position_ids=batch.positions.to(device),
            pixel_values=batch.views.pixels.to(device),
            image_grid_thw=batch.views.grids.to(device),
            use_cache=False,
        ).last_hidden_state
        wanted = batch.labels[:, 1:].to(device)
        learned = wanted != NOT_LEARNED
        logits = self.model.lm_head(hidden[:, :-1][learned])
        loss = torch.nn.functional.cross_entropy(logits.float(), wanted[learned])
        verdicts = batch.verdicts.to(device)
        told = verdicts != NOT_LEARNED
        if not told.any():
            return loss
        found = VERDICT_GAIN * hidden[..., :VERDICTS][told].float()
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(found, verdicts[told].float())
        return loss + VERDICT_WEIGHT * wrong


def _teach_sight(pupil: Pupil, settings: PretrainSettings, device: str, loaders: int) -> None:
    optimizer = pupil.optimizer(
        torch.nn.ModuleList([pupil.vision, pupil.sights]), settings.rates, settings.sight_batches
    )
    views = ViewBatches(settings.seed, settings.sight_images)
    numbers = range(settings.sight_batches)
    loader: Any = DataLoader(views, batch_size=None, sampler=numbers, num_workers=loaders, collate_fn=_as_is)
    for step, batch in enumerate(loader):
        with torch.autocast(device, torch.bfloat16):
            loss = pupil.sight_loss(batch.to(device))
        loss.backward()
        optimizer.step(step)
    pupil.settle(views[0].to(device))


def _batches(
    settings: PretrainSettings, tokenizer: PreTrainedTokenizerFast, loaders: int, first: int
) -> Iterator[Batch]:
    """The batches of the training from step `first` on, in an order that does not depend on the number of loaders."""
    per_chunk = CHUNK_BATCHES * settings.batch_lessons
    chunks = -(-settings.steps() // CHUNK_BATCHES)
    plan = [(number, _course(settings, number / chunks)) for number in range(first // CHUNK_BATCHES, chunks)]
    lessons = LessonChunks(tokenizer, settings.seed, per_chunk, settings.batch_lessons)
    loader: Any = DataLoader(lessons, batch_size=None, sampler=plan, num_workers=loaders, collate_fn=_as_is)
    made = (batch for chunk in loader for batch in chunk)
    yield from itertools.islice(made, first % CHUNK_BATCHES, settings.steps() - first + first % CHUNK_BATCHES)


def _course(settings: PretrainSettings, done: float) -> Course:
    """What is taught when the part `done` of the training is over."""
    if done < settings.answer_drills:
        return ANSWER_DRILLS
    if done < settings.answer_drills + settings.verdict_drills:
        return VERDICT_DRILLS
    return replace(LESSONS, doubt=settings.doubt) if done >= settings.doubt_from else LESSONS


def _digest_of_lessons() -> str:
    """Of a sample: lessons follow from the code, which may change while a training is stopped."""
    courses = (ANSWER_DRILLS, VERDICT_DRILLS, LESSONS)
    sample = repr([lesson(number, course) for course in courses for number in range(DIGESTED_LESSONS)])
    return hashlib.sha256(sample.encode()).hexdigest()


def _as_is(made: Any) -> Any:
    return made
