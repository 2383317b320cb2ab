"""How a backbone is fitted to one's own answers before reward models start from it."""

from dt2it_ray.models.adapt_settings import AdaptSettings
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import TrainStage


class AdaptFitSettings(Settings):
    """One adaptation. Its inputs are those of a training; of each pair only the chosen answer is learned."""

    backbone: Backbone
    """The checkpoint to start from."""
    adapt: AdaptSettings
    """How it is fine-tuned."""

    @property
    def train(self) -> TrainSettings:
        """The same for the machinery that trains reward models."""
        return self.adapt.as_training()


ADAPT = TrainStage(name="adapt", version=1)
