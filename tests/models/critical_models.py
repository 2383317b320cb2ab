"""Reward models of toy size that read critiques, and one that reads none, for tests only."""

from collections.abc import Sequence
from pathlib import Path

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
from tests.models.random_model import write_random_model


def write_critical_models(root: Path) -> dict[str, str]:
    """Folders by what they hold: `first` and `second` read and write critiques, `reader` only reads them, `plain` does
    neither."""
    base = str(write_random_model(root / "base"))
    encoder = open_encoder(base, CollateSettings())
    told = {
        "first": {"critiques": True},
        "second": {"critiques": True},
        "reader": {"critiques": True, "writes_critiques": False},
        "plain": {},
    }
    folders = {name: str(root / name) for name in told}
    for seed, (name, config) in enumerate(told.items()):
        model = new_reward_model(base, "float32", seed)
        save_reward_model(model, encoder, RewardConfig(name=name, **config), folders[name])
    return folders


class FakeWriter:
    """Implements `Generator`: writes of each answer what it is, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[GenerationRequest] = []
        self.closed = 0

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        """One critique per request."""
        self.asked += requests
        return [[Completion(f"Of {request.messages[-2]['content']}", "stop", 1)] for request in requests]

    def close(self) -> None:
        """Counts."""
        self.closed += 1
