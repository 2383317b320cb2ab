"""Which shift and scale make a model's rewards comparable, where its folder keeps them, and who applies them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.errors import StoreError
from dt2it_ray.models.assessment import Assessment, assess, rewards_of
from dt2it_ray.models.protocols import Conversation, Scorer
from dt2it_ray.settings import Settings, read_json_settings

CALIBRATION = "calibration.json"
"""Beside the weights, in a file of its own: a model that a run's manifest lists stays as it is listed."""


class Calibration(Settings):
    """A calibrated reward is (reward - mean) / temperature: the sigmoid of the difference of two is the probability
    that people prefer the first answer, and 0 is the mean answer of the reference pairs."""

    temperature: float = Field(gt=0, allow_inf_nan=False)
    """Divides margins; above 1 the model was surer than it was right (arXiv 1706.04599)."""
    mean: float = Field(allow_inf_nan=False)
    """Of the rewards of all answers of the reference pairs."""
    std: float = Field(ge=0, allow_inf_nan=False)
    """Standard deviation of the same rewards."""
    pairs: int = Field(ge=1)
    """Reference pairs that it was fitted on."""
    accuracy: float = Field(ge=0, le=1)
    """Share of them that the model orders as people do; a tie is half right."""
    ece_before: float
    """Expected calibration error of sigmoid(margin) as the model gives it."""
    ece_after: float
    """The same of calibrated margins, each by a temperature fitted on the other half of the prompts."""
    log_loss_before: float
    log_loss_after: float
    reference: str
    """Which pairs: their fingerprint, or a name."""
    fingerprint: str
    """Of the model whose rewards were looked at."""


def read_calibration(folder: str) -> Calibration | None:
    """How the rewards of the model in a folder are calibrated; None where nobody has fitted it.

    Raises:
        ConfigError: the file does not fit.
    """
    return read_json_settings(Calibration, Path(folder, CALIBRATION))


class CalibratedScorer:
    """Implements `Scorer`: the rewards of another one, shifted and divided."""

    def __init__(self, scorer: Scorer, folder: str, decimals: int) -> None:
        """Raises StoreError where the folder has no calibration, or that of other weights."""
        found = read_calibration(folder)
        if found is None:
            raise StoreError(
                f"{folder} has no {CALIBRATION}: fit one with `dt2it calibrate --model {folder} --pairs FOLDER`, or "
                "leave score.calibrated=false"
            )
        if found.fingerprint != scorer.fingerprint:
            raise StoreError(
                f"{folder}/{CALIBRATION} was fitted to the model {found.fingerprint}, and the folder holds "
                f"{scorer.fingerprint}: other weights, or another writer of critiques. Run `dt2it calibrate` again"
            )
        self._scorer, self.calibration, self._decimals = scorer, found, decimals
        self.fingerprint = content_id("calibrated", scorer.fingerprint, f"{found.temperature!r} {found.mean!r}")[:16]

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Calibrated rewards in the order given, rounded."""
        return rewards_of(self.assess(conversations))

    def assess(self, conversations: Sequence[Conversation]) -> list[Assessment | Dropped]:
        """The same with what else the other one tells, disagreement in calibrated rewards."""
        told = assess(self._scorer, conversations)
        return [each if isinstance(each, Dropped) else self._calibrated(each) for each in told]

    def _calibrated(self, told: Assessment) -> Assessment:
        found, decimals = self.calibration, self._decimals
        reward = round((told.reward - found.mean) / found.temperature, decimals) + 0.0
        spread = None if told.spread is None else round(told.spread / found.temperature, decimals)
        return replace(told, reward=reward, spread=spread)
