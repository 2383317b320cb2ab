"""Who writes the critiques that reward models read when they score, and which models read any."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, model_validator

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.engines import EngineSettings, with_checkpoint
from dt2it_ray.models.ensemble import read_ensemble
from dt2it_ray.models.model_settings import CollateSettings, SamplingSettings, ScoreSettings
from dt2it_ray.models.reward_settings import REWARD_CONFIG
from dt2it_ray.settings import Settings


class CriticSampling(Settings):
    """How critiques are drawn. The precision of transformers is that of `score.dtype`."""

    temperature: float = Field(default=0.0, ge=0, le=5)
    """0: the likeliest critique (arXiv 2502.10391)."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Tokens are drawn from the smallest set whose probability reaches this."""
    max_new_tokens: int = Field(default=256, ge=1)
    """A critique that is longer is cut off and read as it is."""
    seed: int = 0
    """Of the draws, above temperature 0."""

    def sampling(self, score: ScoreSettings, collate: CollateSettings) -> SamplingSettings:
        """The same for a generator whose prompts keep within `collate`."""
        return SamplingSettings(**self.model_dump(), dtype=score.dtype, collate=collate)


class CriticSettings(Settings):
    """Who writes the critiques behind which reward models score that learned to read some (`critiques: true`)."""

    engine: EngineSettings | None = None
    """The chat model that writes; `engine.model` names the checkpoint of `transformers` and `vllm`. None: each reward
    model itself, as it learned to."""
    sampling: CriticSampling = CriticSampling()

    @model_validator(mode="after")
    def _names_its_model(self) -> "CriticSettings":
        engine = self.engine
        if engine is not None and engine.kind != "endpoint" and not (engine.model or engine.backbone):
            raise ValueError(
                f"engine.model is missing: kind: {engine.kind} needs the folder of the checkpoint that writes critiques"
            )
        return self


def find_critic(critic: CriticSettings, models: Iterable[str]) -> CriticSettings:
    """The settings with the content of their checkpoint, for reward models in these folders.

    Raises:
        ConfigError: none of the models reads critiques, so that the settings would do nothing; or the checkpoint is
            not there. StoreError: a member of an ensemble is missing.
    """
    if critic == CriticSettings():
        return critic
    folders = list(models)
    if not any(map(reads_critiques, folders)):
        silent = f"{', '.join(folders)} read no critiques (no `critiques: true` in {REWARD_CONFIG})"
        raise ConfigError(
            f"critic does nothing here: {silent if folders else 'no reward model scores'}; leave it out, or name a "
            "model that was trained with loss.critique.enabled=true"
        )
    engine = critic.engine
    if engine is None or engine.backbone is not None:
        return critic
    return critic.model_copy(update={"engine": with_checkpoint(engine, None)})


def reads_critiques(folder: str) -> bool:
    """Whether a reward model, or any member of an ensemble, reads critiques. False where the folder does not say."""
    ensemble = read_ensemble(folder)
    if ensemble is not None:
        return any(map(reads_critiques, ensemble[0]))
    try:
        told = json.loads(Path(folder, REWARD_CONFIG).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and bool(told.get("critiques"))
