"""Which images of other prompts stand in for a prompt's own, so that training can ask that an answer fit its image."""

from dataclasses import replace

import numpy as np

from dt2it_ray.data.ids import content_id
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.loss_settings import ContrastiveSettings
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.train_rows import TrainingPair, TrainingRows

MORE_TRIES = 8
"""Prompts looked at beyond those wanted: several prompts may show the same image."""


class OtherImages:
    """Gives a pair's chosen answer other images: a function of the seed, the pair and the prompts, not of batches."""

    def __init__(self, rows: TrainingRows, settings: ContrastiveSettings, seed: int) -> None:
        """Raises ConfigError where no two prompts have as many images."""
        self._rows, self._wanted, self._seed = rows, settings.images, seed
        places, counts = rows.images_by_prompt()
        self._places = {int(count): places[counts == count] for count in np.unique(counts) if count}
        if not any(len(alike) > 1 for alike in self._places.values()):
            raise ConfigError(
                "loss.contrastive shows answers with the images of other prompts, and no two prompts of these pairs "
                "have equally many images: leave it off"
            )

    def conversations(self, pair: TrainingPair) -> list[Conversation]:
        """The chosen answer with the images of up to `images` other prompts that show as many; each set of images
        differs from the pair's own and from the others. Fewer, or none, where there are no such prompts."""
        own = pair.chosen.images
        alike = self._places.get(len(own), np.empty(0, np.int64))
        start = int(content_id("other-images", self._seed, pair.pair_id), 16)
        found: list[tuple[bytes, ...]] = []
        for step in range(min(len(alike), self._wanted + MORE_TRIES)):
            if len(found) == self._wanted:
                break
            images = self._rows.images_of(int(alike[(start + step) % len(alike)]))
            if images != own and images not in found:
                found.append(images)
        return [replace(pair.chosen, images=images) for images in found]
