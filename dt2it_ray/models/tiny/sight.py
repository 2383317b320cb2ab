"""The first lessons: the vision part learns to tell, cell by cell, what a picture shows, before any word is read.

Each merged image token sees one of the nine cells. A linear head, thrown away afterwards, reads from it what stands
there and what the whole picture holds. A language model that starts from such tokens learns in a few thousand steps to
compare words with pictures, for which it would otherwise need many times as many.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from dt2it_ray.data.scenes.scene import COLOURS, MAX_HEIGHT, SHAPES, WORDS, Scene, drawer, sample_scene
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.models.tiny.batches import GRID, IMAGE_TOKENS, patches

CLASSES = (len(SHAPES) + 1, len(COLOURS) + 1, IMAGE_TOKENS, len(WORDS) + 1, *[MAX_HEIGHT + 1] * len(COLOURS))
"""Answers to each question that is put to an image token: shape and colour in its cell, which cell it is, the word of
the picture, and the height of the bar of each colour. The first answer of all but the cell is "none"."""
PAIR_SHARE = 0.25
"""Part of the pictures that come as the two of a text-to-image pair."""


@dataclass(frozen=True)
class Views:
    """Pictures with what each of their tokens is to tell: patches [n * 36, 1536] and labels [n * 9, questions]."""

    pixels: torch.Tensor
    grids: torch.Tensor
    labels: torch.Tensor


class ViewBatches(Dataset):
    """Batch number -> views. A pure function of the seed and the number."""

    def __init__(self, seed: int, images: int) -> None:
        self.seed, self.images = seed, images

    def __getitem__(self, number: int) -> Views:
        scenes = list(self._scenes(number))[: self.images]
        labels = np.concatenate([sight_labels(scene) for scene in scenes])
        grids = torch.tensor([[1, GRID, GRID]] * len(scenes))
        return Views(torch.from_numpy(patches(scenes)), grids, torch.from_numpy(labels))

    def _scenes(self, number: int) -> Iterator[Scene]:
        draw = drawer("sight", self.seed, number)
        for place in range(self.images):
            seed = f"sight {self.seed} {number} {place}"
            if draw.random() < PAIR_SHARE:
                pair = t2i_pair(seed, "en")
                yield from (pair.fitting, pair.other)
            else:
                yield sample_scene(seed)


class Sight(torch.nn.Module):
    """One linear head for all questions of `CLASSES`."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(hidden, sum(CLASSES))

    def forward(self, tokens: torch.Tensor) -> Sequence[torch.Tensor]:
        """[tokens, hidden] -> [tokens, answers] for each question."""
        return self.head(tokens).split(CLASSES, dim=-1)


def sight_labels(scene: Scene) -> np.ndarray:
    """[9, questions] the right answers, cells row by row."""
    labels = np.zeros((IMAGE_TOKENS, len(CLASSES)), np.int64)
    labels[:, 2] = np.arange(IMAGE_TOKENS)
    for thing in scene.things:
        labels[thing.cell, :2] = SHAPES.index(thing.shape) + 1, COLOURS.index(thing.colour) + 1
    if scene.word:
        labels[:, 3] = WORDS.index(scene.word) + 1
    for bar in scene.bars:
        labels[:, 4 + COLOURS.index(bar.colour)] = bar.height
    return labels


def sight_loss(vision: torch.nn.Module, sight: Sight, views: Views, device: str) -> torch.Tensor:
    """Mean cross-entropy over tokens and questions."""
    tokens = vision(views.pixels.to(device), grid_thw=views.grids.to(device)).pooler_output
    columns = zip(sight(tokens), views.labels.to(device).unbind(-1), strict=True)
    return torch.stack([torch.nn.functional.cross_entropy(answer.float(), right) for answer, right in columns]).mean()
