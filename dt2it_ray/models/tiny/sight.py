"""What image tokens are asked apart from lessons: what stands in their cell, and what the whole picture holds.

Each merged image token sees one of the nine cells. A linear head, thrown away afterwards, reads the answers from it:
first alone, before any word is read, then beside the lessons, whose loss would let the vision part forget places. A
language model that starts from such tokens learns in a few thousand steps to compare words with pictures, for which it
would otherwise need many times as many.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Dataset

from dt2it_ray.data.scenes.scene import Scene, drawer, sample_scene
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.models.tiny.views import CLASSES, Views, views_of

PAIR_SHARE = 0.25
"""Part of the pictures that come as the two of a text-to-image pair."""


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
                yield sample_scene(seed)


class Sight(torch.nn.Module):
    """One linear head for all questions of `CLASSES`."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(hidden, sum(CLASSES))

    def forward(self, tokens: torch.Tensor) -> Sequence[torch.Tensor]:
        """[tokens, hidden] -> [tokens, answers] for each question. The length of a token tells nothing."""
        return self.head(torch.nn.functional.rms_norm(tokens.float(), tokens.shape[-1:])).split(CLASSES, dim=-1)

    def loss(self, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy over tokens and questions; labels [tokens, questions]."""
        columns = zip(self(tokens), labels.unbind(-1), strict=True)
        return torch.stack([torch.nn.functional.cross_entropy(answer, right) for answer, right in columns]).mean()
