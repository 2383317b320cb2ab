"""How a scalar reward model's rewards for the rows of a benchmark are computed, by the code that scores in the loop."""

import contextlib
from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.formats.benchmark import BenchmarkPair
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.models.critic_settings import CriticSettings, find_critic, reads_critiques
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Scorer
from dt2it_ray.pipeline.evaluate_models import ModelRewards
from dt2it_ray.pipeline.evaluate_prompts import Lost, names_of, place_of, prompts_of
from dt2it_ray.pipeline.evaluate_rows import LoadedBenchmark
from dt2it_ray.rules.predictions import Rewards
from dt2it_ray.settings import Settings
from dt2it_ray.stages.score import score_batch


class EvaluatePlace(Settings):
    """Where models run. No value here may change a figure, but by rounding."""

    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:1`."""
    threads: int = Field(default=1, ge=1)
    """Of a model on the CPU."""
    replies: str = ""
    """Folder or URI in which replies of a judge are kept, so that a run that dies pays none twice. Empty: nowhere."""
    batch_rows: int = Field(default=64, ge=1)
    """Rows whose images are in memory at a time."""


def from_model(
    loaded: LoadedBenchmark, named: str, settings: ScoreSettings, place: EvaluatePlace, critic: CriticSettings
) -> ModelRewards:
    """The rewards of the model in a folder, given as FOLDER or NAME=FOLDER: ours, or somebody else's checkpoint.

    Raises:
        StoreError, ConfigError: the folder holds no reward model; see `open_scorer`.
    """
    name, folder = named_folder(named)
    with scorer_of(folder, settings, place, critic) as scorer:
        rewards, lost = score_rows(loaded, scorer, place.batch_rows)
    told = {"folder": folder, "fingerprint": scorer.fingerprint, "score": settings.model_dump(mode="json")}
    if reads_critiques(folder):
        told["critic"] = critic.model_dump(mode="json")
    return ModelRewards(name, "reward_model", rewards, told, lost=lost)


def named_folder(named: str) -> tuple[str, str]:
    """The name and the path in NAME=FOLDER; of a FOLDER alone, its own name."""
    name, equals, folder = named.partition("=")
    return (name, folder) if equals and "/" not in name else (PurePosixPath(named).name, named)


@contextlib.contextmanager
def scorer_of(folder: str, settings: ScoreSettings, place: EvaluatePlace, critic: CriticSettings) -> Iterator[Scorer]:
    """The scorer of a folder, and of an engine that writes critiques for it, for as long as the block lasts.

    Raises:
        ConfigError: the model reads no critiques, and `critic` is for some that do; see `open_scorer` for the rest.
    """
    from dt2it_ray.models.open_critic import open_critics
    from dt2it_ray.models.open_scorer import open_scorer

    critics = open_critics(find_critic(critic, [folder]), settings, place.device, place.threads, place.replies)
    with contextlib.closing(critics):
        yield open_scorer(folder, settings, place.device, place.threads, critics)


def score_rows(loaded: LoadedBenchmark, scorer: Scorer, batch_rows: int) -> tuple[list[Rewards | None], Lost]:
    """The rewards (chosen, rejected) of every row, None where there are none, and why, by place."""
    found: dict[str, float] = {}
    lost: Lost = {}
    for prompts, unread in prompts_of(loaded, batch_rows):
        lost |= unread
        outcome = score_batch(pa.Table.from_pylist(prompts, schema=PROMPTS), scorer)
        found |= dict(zip(*(outcome.rows[name].to_pylist() for name in ("answer_id", "score")), strict=True))
        lost |= {place_of(row["key"]): f"{row['reason']}: {row['detail']}" for row in outcome.dropped.to_pylist()}
    return [_rewards(found, place, pair) for place, pair in enumerate(loaded.pairs)], lost


def _rewards(found: dict[str, float], place: int, pair: BenchmarkPair | None) -> Rewards | None:
    """Of a row that is shown in two ways, the mean of both."""
    if pair is None:
        return None
    chosen, names = pair.chosen or 0, names_of(place, pair)
    told = [[found.get(f"{name}/{side}") for name in names] for side in (chosen, 1 - chosen)]
    known = [[reward for reward in rewards if reward is not None] for rewards in told]
    if any(len(rewards) < len(names) for rewards in known):
        return None
    return sum(known[0]) / len(names), sum(known[1]) / len(names)
