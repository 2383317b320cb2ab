"""Which settings of encoding, scoring and sampling change rows. Imports no model library."""

from typing import Literal

from pydantic import Field

from dt2it_ray.settings import Settings


class CollateSettings(Settings):
    """How a conversation becomes model inputs."""

    max_length: int = Field(default=7168, ge=8)
    """Most tokens of a conversation, image tokens included; longer ones are dropped (arXiv 2604.19544)."""
    image_min_pixels: int | None = Field(default=None, ge=1)
    """Smaller images are enlarged to this many pixels. None: what the checkpoint's image processor says."""
    image_max_pixels: int | None = Field(default=None, ge=1)
    """Larger images are shrunk to this many pixels (paper: 268,324 in training, 1,310,720 in evaluation).
    None: what the checkpoint's image processor says."""


class ScoreSettings(Settings):
    """How a reward model is read out. A score must not depend on its neighbours, on threads or on the machine."""

    dtype: Literal["float64", "float32", "bfloat16"] = "float64"
    """Precision of the forward pass. Only float64 makes scores independent of batch size and threads after rounding;
    the others are for accelerators, where scores repeat within `decimals` only on average."""
    decimals: int = Field(default=6, ge=0, le=12)
    """Scores are rounded to this many decimals, which hides the 1e-13 that float64 sums differ by."""
    collate: CollateSettings | None = None
    """Replaces the checkpoint's own limits, e.g. more pixels in evaluation than in training. None: as trained."""
    calibrated: bool = False
    """Shift and scale rewards as `calibration.json` in the model's folder says, so that the sigmoid of a margin is a
    probability. Off, as margins of one model need no scale."""


class SamplingSettings(Settings):
    """How answers are drawn from a model."""

    temperature: float = Field(default=1.0, ge=0, le=5)
    """0 takes the likeliest token; all samples of a prompt are then equal."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Tokens are drawn from the smallest set whose probability reaches this."""
    max_new_tokens: int = Field(default=64, ge=1)
    """An answer that is longer is cut off and finishes with `length`."""
    dtype: Literal["float64", "float32", "bfloat16"] = "float64"
    """Precision of the forward pass. With float64 a sample does not depend on its neighbours in the batch."""
    seed: int = 0
    """Every draw is a function of this seed, the request's key, the sample's index and the token's place."""
    collate: CollateSettings = CollateSettings()
    """Limits of the prompt."""
