"""What image tokens are asked apart from lessons: what stands in their cell, and what the whole picture holds.

Each merged image token sees one of the nine cells. Linear heads, thrown away afterwards, read the answers from it
before any word is taught; then the vision part is left as it is, because the loss of the lessons would let it forget
places. A language model that starts from such tokens learns in a few thousand steps to compare words with pictures, for
which it would otherwise need many times as many.
"""

import itertools
from collections.abc import Iterator

import torch
from torch.utils.data import Dataset

from dt2it_ray.data.scenes.scene import Scene, drawer, sample_scene
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.models.tiny.views import CLASSES, LETTERS, Views, views_of

PAIR_SHARE = 0.2
"""Part of the pictures that come as the two of a text-to-image pair."""
WORD_SHARE = 0.4
"""Part of the others that are drawn until there is a word: letters are learned last."""


class ViewBatches(Dataset):
    """Batch number -> views. A pure function of the seed and the number."""

    def __init__(self, seed: int, images: int) -> None:
        self.seed, self.images = seed, images

    def __getitem__(self, number: int) -> Views:
        return views_of(list(self._scenes(number))[: self.images])

    def _scenes(self, number: int) -> Iterator[Scene]:
        draw = drawer("sight", self.seed, number)
        for place in range(self.images):
            seed = f"sight {self.seed} {number} {place}"
            if draw.random() < PAIR_SHARE:
                pair = t2i_pair(seed, "en")
                yield from (pair.fitting, pair.other)
            else:
                yield _with_word(seed) if draw.random() < WORD_SHARE else sample_scene(seed)


class Sight(torch.nn.Module):
    """A linear head for all questions of `CLASSES` and one for `LETTERS`."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(hidden, sum(CLASSES))
        self.letters = torch.nn.Linear(hidden, len(LETTERS))

    def loss(self, tokens: torch.Tensor, views: Views) -> torch.Tensor:
        """Mean cross-entropy of tokens [tokens, hidden] over questions. The length of a token tells nothing."""
        directions = torch.nn.functional.rms_norm(tokens.float(), tokens.shape[-1:])
        answers = self.head(directions).split(CLASSES, dim=-1)
        columns = zip(answers, views.labels.unbind(-1), strict=True)
        losses = [torch.nn.functional.cross_entropy(answer, right) for answer, right in columns]
        spelled = torch.nn.functional.binary_cross_entropy_with_logits(self.letters(directions), views.letters)
        return torch.stack([*losses, 5 * spelled]).mean()


def _with_word(seed: str) -> Scene:
    scenes = (sample_scene(f"{seed} {attempt}") for attempt in itertools.count())
    return next(scene for scene in scenes if scene.word)
