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
WIDTH_STEP = 16
"""Fewer different shapes: kernels are compiled once for each."""


@dataclass(frozen=True)
class Batch:
    """Right-padded inputs of the model; `labels` are NOT_LEARNED except on the answers to be learned."""

    ids: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor
    views: Views


class LessonChunks(Dataset):
    """(chunk number, course) -> batches of lessons of similar length. A pure function of these and the seed."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int, chunk_lessons: int, batch_lessons: int) -> None:
        self.tokenizer, self.seed = tokenizer, seed
        self.chunk_lessons, self.batch_lessons = chunk_lessons, batch_lessons

    def __getitem__(self, place: tuple[int, Course]) -> list[Batch]:
        number, course = place
        lessons = [lesson(f"{self.seed} {number} {index}", course) for index in range(self.chunk_lessons)]
        encoded = encode_lessons(self.tokenizer, lessons)
        order = sorted(range(len(lessons)), key=lambda index: len(encoded[index][0]))
        starts = list(range(0, len(order), self.batch_lessons))
        drawer("batches", self.seed, number).shuffle(starts)
        groups = [order[start : start + self.batch_lessons] for start in starts]
        return [pad([lessons[i] for i in group], [encoded[i] for i in group]) for group in groups]


def encode_lessons(
    tokenizer: PreTrainedTokenizerFast, lessons: Sequence[Lesson]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Token ids and labels of each lesson. A learned answer's labels include the token that ends its turn."""
    start, end = (tokenizer.convert_tokens_to_ids(token) for token in ("<|im_start|>", "<|im_end|>"))
    opening = len(tokenizer.encode("<|im_start|>assistant\n"))
    encoded = []
    texts = [lesson_text(each, IMAGE_TOKENS) for each in lessons]
    for each, ids in zip(lessons, tokenizer(texts)["input_ids"], strict=True):
        tokens = np.asarray(ids, dtype=np.int64)
        labels = np.full_like(tokens, NOT_LEARNED)
        starts, ends = np.flatnonzero(tokens == start), np.flatnonzero(tokens == end)
        for turn, first, last in zip(each.turns, starts, ends, strict=True):
            if turn.learned:
                labels[first + opening : last + 1] = tokens[first + opening : last + 1]
        encoded.append((tokens, labels))
    return encoded


def pad(lessons: Sequence[Lesson], encoded: Sequence[tuple[np.ndarray, np.ndarray]], image_token: int = 5) -> Batch:
    """One batch, as wide as its longest lesson, up to the next multiple of `WIDTH_STEP`."""
    width = -(-max(len(ids) for ids, _ in encoded) // WIDTH_STEP) * WIDTH_STEP
    shape = (len(encoded), width)
    tokens, labels = np.zeros(shape, np.int64), np.full(shape, NOT_LEARNED, np.int64)
    positions = np.zeros((3, *shape), np.int64)
    for row, (ids, learned) in enumerate(encoded):
        tokens[row, : len(ids)], labels[row, : len(ids)] = ids, learned
        positions[:, row] = rotary_positions(tokens[row] == image_token)
    scenes = [scene for each in lessons for scene in each.scenes]
    ids, learned_ids, places = (torch.from_numpy(array) for array in (tokens, labels, positions))
    return Batch(ids, learned_ids, places, views_of(scenes))


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
