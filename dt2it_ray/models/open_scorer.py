"""Who scores with the model in a folder, the same for batch jobs, evaluation and the server."""

from pathlib import Path

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.calibration import CalibratedScorer
from dt2it_ray.models.critic_settings import CriticSettings
from dt2it_ray.models.ensemble import EnsembleScorer, read_ensemble
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.open_critic import Critics
from dt2it_ray.models.outside_scorer import OutsideScorer, outside_config
from dt2it_ray.models.protocols import Scorer
from dt2it_ray.models.reward_settings import REWARD_CONFIG
from dt2it_ray.models.torch_scorer import TorchScorer


def open_scorer(
    folder: str,
    settings: ScoreSettings,
    device: str = "cpu",
    threads: int | None = None,
    critics: Critics | None = None,
) -> Scorer:
    """The scorer of a folder: a reward model of ours, a head on a backbone that ours run on, another checkpoint, or an
    ensemble of such folders; calibrated if `settings` say so. A model that reads critiques stands behind one of
    `critics`, without any behind itself.

    Somebody else's model reads the conversation as its own chat template writes it, without a system prompt of ours.

    Raises:
        StoreError: files are missing or damaged, no reward head is there, or no calibration where one is asked for.
        ConfigError: it gives several numbers, a file of settings does not fit, or nobody writes the critiques.
    """
    critics = critics or Critics(CriticSettings(), settings, device, threads)
    scorer = _open_raw(folder, settings, device, threads, critics)
    return CalibratedScorer(scorer, folder, settings.decimals) if settings.calibrated else scorer


def _open_raw(folder: str, settings: ScoreSettings, device: str, threads: int | None, critics: Critics) -> Scorer:
    ensemble = read_ensemble(folder)
    if ensemble is not None:
        members, config = ensemble
        nested = [member for member in members if read_ensemble(member) is not None]
        if nested:
            raise ConfigError(f"{folder}: its member {nested[0]} is an ensemble itself; name its members instead")
        how = settings.model_copy(update={"calibrated": config.calibrated})
        opened = [open_scorer(member, how, device, threads, critics) for member in members]
        return EnsembleScorer(opened, settings.decimals)
    if Path(folder, REWARD_CONFIG).is_file():
        scorer = TorchScorer(folder, settings, device, threads)
        return critics.ahead_of(scorer, folder) if scorer.config.critiques else scorer
    config = outside_config(folder)
    return (
        TorchScorer(folder, settings, device, threads, config)
        if config
        else OutsideScorer(folder, settings, device, threads)
    )
