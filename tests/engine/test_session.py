"""Steps that need more than this machine has are refused at once."""

import pytest

from dt2it_ray.engine.session import require_room
from dt2it_ray.errors import ConfigError
from dt2it_ray.stages.stage import Placement, TrainPlacement

ROOM = {"CPU": 2.0, "memory": 1e9}


def test_what_fits_is_allowed() -> None:
    require_room({"score": Placement(workers=2, cpus=1).least(), "train": TrainPlacement(cpus=2).least()}, ROOM)


@pytest.mark.parametrize(
    ("placement", "said"),
    [
        (TrainPlacement(gpus=1), "step s needs 1 GPU and this machine has 0"),
        (TrainPlacement(workers=3), "step s needs 3 CPU and this machine has 2"),
        (Placement(engine="ray", workers=2, gpus=0.5), "step s needs 1 GPU and this machine has 0"),
        (Placement(engine="ray", workers=2, cpus=1.5), "step s needs 3 CPU and this machine has 2"),
    ],
)
def test_what_does_not_fit_is_named_with_both_amounts(placement: Placement | TrainPlacement, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        require_room({"s": placement.least()}, ROOM)
