"""How lessons become batches of tensors: tokens, labels, rotary positions and image patches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from dt2it_ray.data.scenes.scene import drawer
from dt2it_ray.models.tiny.lessons import Course, Lesson, lesson
from dt2it_ray.models.tiny.tokenizer import lesson_text
from dt2it_ray.models.tiny.views import GRID, IMAGE_TOKENS, MERGE, Views, views_of

NOT_LEARNED = -100
VERDICTS = 3
WIDTH_STEP = 16
"""Fewer different shapes: kernels are compiled once for each."""


@dataclass(frozen=True)
class Batch:
    """Right-padded inputs of the model, [lessons, width] if nothing else is said."""

    ids: torch.Tensor
    labels: torch.Tensor
    """NOT_LEARNED except on the answers to be learned."""
    verdicts: torch.Tensor
    """[lessons, width, VERDICTS], 1 or 0: on the last two tokens of answers, where a reward is read, for `Turn.right`
    and for `Turn.rest_right`; on the last token of a sentence for its truth. Else NOT_LEARNED."""
    positions: torch.Tensor
    views: Views


@dataclass(frozen=True)
class EncodedLesson:
    """Arrays of a lesson's length, with the meaning that they have in a `Batch`."""

    ids: np.ndarray
    labels: np.ndarray
    verdicts: np.ndarray


class LessonChunks(Dataset):
    """(chunk number, course) -> batches of lessons of similar length. A pure function of these and the seed."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int, chunk_lessons: int, batch_lessons: int) -> None:
        self.tokenizer, self.seed = tokenizer, seed
        self.chunk_lessons, self.batch_lessons = chunk_lessons, batch_lessons

    def __getitem__(self, place: tuple[int, Course]) -> list[Batch]:
        number, course = place
        lessons = [lesson(f"{self.seed} {number} {index}", course) for index in range(self.chunk_lessons)]
        encoded = encode_lessons(self.tokenizer, lessons)
        order = sorted(range(len(lessons)), key=lambda index: len(encoded[index].ids))
        starts = list(range(0, len(order), self.batch_lessons))
        drawer("batches", self.seed, number).shuffle(starts)
        groups = [order[start : start + self.batch_lessons] for start in starts]
        return [pad([lessons[i] for i in group], [encoded[i] for i in group]) for group in groups]


def encode_lessons(tokenizer: PreTrainedTokenizerFast, lessons: Sequence[Lesson]) -> list[EncodedLesson]:
    """Tokens, labels and verdicts of each lesson. A learned answer's labels include the token that ends its turn."""
    start, end = (tokenizer.convert_tokens_to_ids(token) for token in ("<|im_start|>", "<|im_end|>"))
    opening = len(tokenizer.encode("<|im_start|>assistant\n"))
    encoded = []
    texts = [lesson_text(each, IMAGE_TOKENS) for each in lessons]
    told = tokenizer(texts, return_offsets_mapping=True)
    for each, ids, spans in zip(lessons, told["input_ids"], told["offset_mapping"], strict=True):
        tokens, begins = np.asarray(ids, dtype=np.int64), np.asarray(spans)[:, 0]
        labels, verdicts = np.full_like(tokens, NOT_LEARNED), np.full((len(tokens), VERDICTS), NOT_LEARNED)
        starts, ends = np.flatnonzero(tokens == start), np.flatnonzero(tokens == end)
        for turn, first, last in zip(each.turns, starts, ends, strict=True):
            if turn.learned:
                labels[first + opening : last + 1] = tokens[first + opening : last + 1]
            whole = [NOT_LEARNED if verdict is None else int(verdict) for verdict in (turn.right, turn.rest_right)]
            verdicts[last : last + 2, :2] = whole
            for place, true in turn.sentences:
                # The turn's text begins behind its opening tokens.
                verdicts[np.searchsorted(begins, begins[first + opening] + place, side="right") - 1, 2] = int(true)
        encoded.append(EncodedLesson(tokens, labels, verdicts))
    return encoded


def pad(lessons: Sequence[Lesson], encoded: Sequence[EncodedLesson], image_token: int = 5) -> Batch:
    """One batch, as wide as its longest lesson, up to the next multiple of `WIDTH_STEP`."""
    width = -(-max(len(each.ids) for each in encoded) // WIDTH_STEP) * WIDTH_STEP
    shape = (len(encoded), width)
    tokens, labels = np.zeros(shape, np.int64), np.full(shape, NOT_LEARNED)
    verdicts = np.full((*shape, VERDICTS), NOT_LEARNED)
    positions = np.zeros((3, *shape), np.int64)
    for row, each in enumerate(encoded):
        length = len(each.ids)
        tokens[row, :length], labels[row, :length], verdicts[row, :length] = each.ids, each.labels, each.verdicts
        positions[:, row] = rotary_positions(tokens[row] == image_token)
    scenes = [scene for each in lessons for scene in each.scenes]
    ids, learned, told, places = (torch.from_numpy(array) for array in (tokens, labels, verdicts, positions))
    return Batch(ids, learned, told, places, views_of(scenes))


def rotary_positions(is_image: np.ndarray) -> np.ndarray:
    """[3, length] time, height and width positions, as the model's own rule gives for images of IMAGE_TOKENS tokens."""
    side = GRID // MERGE
    steps = (~is_image).astype(np.int64)
    starts = np.flatnonzero(is_image)[::IMAGE_TOKENS]
    steps[starts + IMAGE_TOKENS - 1] = side
    following = np.cumsum(steps)
    positions = np.tile(following - steps, (3, 1))
    for start in starts:
        base = following[start - 1]
        block = np.arange(IMAGE_TOKENS)
        positions[:, start : start + IMAGE_TOKENS] = base + np.stack([0 * block, block // side, block % side])
    return positions
