"""Pictures as the tiny model sees them: patches, with what each image token should be able to tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dt2it_ray.data.scenes.render import CELL, SIDE, render_pixels
from dt2it_ray.data.scenes.scene import COLOURS, MAX_HEIGHT, SHAPES, WORDS, Scene

LETTERS = "".join(sorted(set("".join(WORDS))))
LETTER_WIDTH = 18
"""Pixels of a written letter with the gap behind it."""
PATCH = 16
MERGE = 2
GRID = SIDE // PATCH
IMAGE_TOKENS = (GRID // MERGE) ** 2
CLASSES = (len(SHAPES) + 2, len(COLOURS) + 1, IMAGE_TOKENS, len(WORDS) + 1, MAX_HEIGHT + 1)
"""Answers to each question that is put to an image token: shape and colour in its cell, which cell it is, the word of
the picture, and the height of the bar in its column. The first answer of all but the cell is "none"; a bar fills its
column, and counts as one more shape."""


@dataclass(frozen=True)
class Views:
    """Pictures with what each of their tokens is to tell.

    Shapes for n pictures: pixels [n * 36, 1536], grids [n, 3], labels [n * 9, questions], letters [n * 9, letters].
    """

    pixels: torch.Tensor
    grids: torch.Tensor
    labels: torch.Tensor
    letters: torch.Tensor

    def to(self, device: str) -> "Views":
        """The same on another device."""
        return Views(*(tensor.to(device) for tensor in (self.pixels, self.grids, self.labels, self.letters)))


def views_of(scenes: Sequence[Scene]) -> Views:
    """The rendered scenes."""
    grids = torch.tensor([[1, GRID, GRID]] * len(scenes))
    labels = np.concatenate([sight_labels(scene) for scene in scenes])
    letters = np.concatenate([letter_labels(scene) for scene in scenes])
    return Views(torch.from_numpy(patches(scenes)), grids, torch.from_numpy(labels), torch.from_numpy(letters))


def patches(scenes: Sequence[Scene]) -> np.ndarray:
    """[images * patches, values] what the image processor makes of the rendered scenes, without the detour by PNG."""
    pixels = np.stack([render_pixels(scene) for scene in scenes]).astype(np.float32) / 127.5 - 1
    blocks = GRID // MERGE
    cut = pixels.reshape(len(scenes), blocks, MERGE, PATCH, blocks, MERGE, PATCH, 3)
    cut = cut.transpose(0, 1, 4, 2, 5, 7, 3, 6)
    twice = np.repeat(cut[:, :, :, :, :, :, None], 2, axis=6)
    return np.ascontiguousarray(twice.reshape(len(scenes) * GRID * GRID, -1))


def sight_labels(scene: Scene) -> np.ndarray:
    """[9, questions] the right answers, cells row by row."""
    labels = np.zeros((IMAGE_TOKENS, len(CLASSES)), np.int64)
    labels[:, 2] = np.arange(IMAGE_TOKENS)
    for thing in scene.things:
        labels[thing.cell, :2] = SHAPES.index(thing.shape) + 1, COLOURS.index(thing.colour) + 1
    if scene.word:
        labels[:, 3] = WORDS.index(scene.word) + 1
    for column, bar in enumerate(scene.bars):
        labels[column::3, [0, 1, 4]] = len(SHAPES) + 1, COLOURS.index(bar.colour) + 1, bar.height
    return labels


def letter_labels(scene: Scene) -> np.ndarray:
    """[9, letters] 1 for the letters of the word that lie in a cell, roughly: the word is centred in its row."""
    labels = np.zeros((IMAGE_TOKENS, len(LETTERS)), np.float32)
    width = LETTER_WIDTH * len(scene.word)
    for place, letter in enumerate(scene.word):
        middle = (SIDE - width) / 2 + LETTER_WIDTH * (place + 0.5)
        labels[3 * scene.word_row + int(middle // CELL), LETTERS.index(letter)] = 1
    return labels
