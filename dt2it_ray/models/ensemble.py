"""How several reward models score as one: the mean of their rewards, and how far they disagree."""

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.assessment import Assessment, assess, rewards_of
from dt2it_ray.models.protocols import Conversation, Scorer
from dt2it_ray.settings import Settings, parse_settings, read_json_settings

ENSEMBLE = "ensemble.json"


class EnsembleConfig(Settings):
    """What an ensemble's folder says. The folder stands wherever that of a model can."""

    members: tuple[str, ...] = Field(min_length=2)
    """Folders of reward models, each once. A relative one starts from the ensemble's folder."""
    calibrated: bool = True
    """Average calibrated rewards, which have one scale. Otherwise the model with the largest rewards has most say."""


class EnsembleScorer:
    """Implements `Scorer` with the mean of its members' rewards. What one member cannot encode is dropped."""

    def __init__(self, members: Sequence[Scorer], decimals: int) -> None:
        self._members, self._decimals = members, decimals
        self.fingerprint = content_id("ensemble", *sorted(member.fingerprint for member in members))[:16]

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Mean rewards in the order given."""
        return rewards_of(self.assess(conversations))

    def assess(self, conversations: Sequence[Conversation]) -> list[Assessment | Dropped]:
        """Mean rewards with the members' disagreement and what they read, in the order given."""
        told = [assess(member, conversations) for member in self._members]
        return [self._joined(entries) for entries in zip(*told, strict=True)]

    def _joined(self, entries: Sequence[Assessment | Dropped]) -> Assessment | Dropped:
        told: list[Assessment] = []
        for entry in entries:
            if isinstance(entry, Dropped):
                return entry
            told.append(entry)
        rewards = [entry.reward for entry in told]
        mean, spread = statistics.fmean(rewards), statistics.stdev(rewards)
        critiques = dict.fromkeys(critique for entry in told for critique in entry.critiques)
        return Assessment(round(mean, self._decimals) + 0.0, round(spread, self._decimals), tuple(critiques))


def read_ensemble(folder: str) -> tuple[tuple[str, ...], EnsembleConfig] | None:
    """The folders of an ensemble's members and what its folder says; None where the folder holds no ensemble.

    Raises:
        ConfigError: the file does not fit. StoreError: a member is missing.
    """
    config = read_json_settings(EnsembleConfig, Path(folder, ENSEMBLE))
    return None if config is None else (_folders(folder, config), config)


def _folders(folder: str, config: EnsembleConfig) -> tuple[str, ...]:
    members = tuple(os.path.normpath(os.path.join(folder, member)) for member in config.members)
    for member in members:
        if not Path(member).is_dir():
            raise StoreError(f"the ensemble {folder} names {member}, which is no folder; write the ensemble again")
    if len(set(members)) < len(members):
        raise ConfigError(f"the ensemble {folder} names a folder twice: {', '.join(members)}")
    return members


def write_ensemble(folder: str, members: Sequence[str], calibrated: bool = True) -> None:
    """Make `folder` an ensemble of the models in other folders, kept relative so that all may move together.

    Raises:
        ConfigError: there are fewer than two members, or one is named twice. StoreError: a member is missing.
    """
    named = tuple(os.path.relpath(os.path.abspath(member), os.path.abspath(folder)) for member in members)
    config = parse_settings(EnsembleConfig, {"members": named, "calibrated": calibrated}, where="the command line")
    _folders(folder, config)
    os.makedirs(folder, exist_ok=True)
    draft = Path(folder, f"{ENSEMBLE}.draft")
    draft.write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(draft, Path(folder, ENSEMBLE))
