"""How a reward model is fitted to pairs: which inputs a training has and what bears its identity."""

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import TrainStage


class FitSettings(Settings):
    """One training. Its inputs: `pairs`, for each source S of pairs `rows/S`, with `answers/S` if apart, and perhaps
    `held_out`: pairs to evaluate on, of the same sources."""

    backbone: Backbone
    """The checkpoint to start from."""
    train: TrainSettings
    """How it is trained."""


TRAIN = TrainStage(name="train", version=1)
