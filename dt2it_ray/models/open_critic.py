"""How the critics of a process are opened: one engine for all reward models, or each model writes its own."""

from typing import Any

from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.critic import AskedOnce, Critic, CritiqueScorer
from dt2it_ray.models.critic_settings import CriticSettings
from dt2it_ray.models.engines import open_generator
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.protocols import Generator
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.store.fingerprint import canonical_json


class Critics:
    """Puts critics in front of reward models that read critiques. Has the `usage` of the engine, and closes it."""

    def __init__(
        self,
        settings: CriticSettings,
        score: ScoreSettings,
        device: str = "cpu",
        threads: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        """`generator` is the engine, where settings name one."""
        self._settings, self._score, self._device, self._threads = settings, score, device, threads
        self._engine, self._generator = generator, generator and AskedOnce(generator)
        self.usage: Any = getattr(generator, "usage", None)
        told = settings != CriticSettings()
        self._written_by = canonical_json(settings.model_dump(mode="json")) if told else ""

    def ahead_of(self, scorer: TorchScorer, folder: str) -> CritiqueScorer:
        """The reward model of a folder behind critiques, which are written by the engine, else by the model itself.

        Raises:
            ConfigError: no engine is named, and the model only learned to read critiques.
            StoreError: it cannot write here.
        """
        writer = self._generator or self._own(scorer, folder)
        return CritiqueScorer(Critic(writer, scorer.config.system_prompts), scorer, self._written_by)

    def close(self) -> None:
        """Give back what the engine holds."""
        getattr(self._engine, "close", lambda: None)()

    def _own(self, scorer: TorchScorer, folder: str) -> Generator:
        from dt2it_ray.models.critique import WritingModel
        from dt2it_ray.models.transformers_generator import TransformersGenerator

        if not scorer.config.writes_critiques:
            raise ConfigError(
                f"{folder} learned to read critiques and not to write them (loss.critique.weight=0): name who writes "
                "them in critic.engine"
            )
        sampling = self._settings.sampling.sampling(self._score, scorer.encoder.settings)
        try:
            model = WritingModel(scorer.model, folder)
            return TransformersGenerator(folder, sampling, self._device, self._threads, model)
        except StoreError as error:
            raise StoreError(
                f"{error}. This reward model reads critiques and cannot write them here: name who does in critic.engine"
            ) from None


def open_critics(
    settings: CriticSettings, score: ScoreSettings, device: str = "cpu", threads: int | None = None, replies: str = ""
) -> Critics:
    """The critics of a process, whose engine, if one is named, is ready to answer. `replies` as in `open_generator`.

    Raises:
        ConfigError, StoreError, StageFailed: the engine cannot be opened.
    """
    if settings.engine is None:
        return Critics(settings, score, device, threads)
    sampling = settings.sampling.sampling(score, CollateSettings())
    generator = open_generator(settings.engine, sampling, device, threads or 1, replies)
    return Critics(settings, score, device, threads, generator)
