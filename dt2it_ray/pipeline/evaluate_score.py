"""How a scalar reward model's rewards for the rows of a benchmark are computed, by the code that scores in the loop."""

from collections.abc import Iterable
from pathlib import PurePosixPath

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Scorer
from dt2it_ray.pipeline.evaluate_models import ModelRewards
from dt2it_ray.pipeline.evaluate_prompts import Lost, prompts_of
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


def from_model(loaded: LoadedBenchmark, named: str, settings: ScoreSettings, place: EvaluatePlace) -> ModelRewards:
    """The rewards of the model in a folder, given as FOLDER or NAME=FOLDER: ours, or somebody else's checkpoint.

    Raises:
        StoreError, ConfigError: the folder holds no reward model; see `open_scorer`.
    """
    from dt2it_ray.models.outside_scorer import open_scorer

    name, equals, folder = named.partition("=")
    if not equals or "/" in name:
        name, folder = PurePosixPath(named).name, named
    scorer = open_scorer(folder, settings, place.device, place.threads)
    rewards, lost = score_rows(loaded, scorer, place.batch_rows)
    told = {"folder": folder, "fingerprint": scorer.fingerprint, "score": settings.model_dump(mode="json")}
    return ModelRewards(name, "reward_model", rewards, told, lost=lost)


def score_rows(loaded: LoadedBenchmark, scorer: Scorer, batch_rows: int) -> tuple[list[Rewards | None], Lost]:
    """The rewards (chosen, rejected) of every row, None where there are none, and why, by place."""
    found: dict[str, float] = {}
    lost: Lost = {}
    for prompts, unread in prompts_of(loaded, batch_rows):
        lost |= unread
        outcome = score_batch(pa.Table.from_pylist(prompts, schema=PROMPTS), scorer)
        found |= dict(zip(*(outcome.rows[name].to_pylist() for name in ("answer_id", "score")), strict=True))
        lost |= {int(row["key"]): f"{row['reason']}: {row['detail']}" for row in outcome.dropped.to_pylist()}
    return [_rewards(found, place, pair) for place, pair in enumerate(_chosen(loaded))], lost


def _chosen(loaded: LoadedBenchmark) -> Iterable[int]:
    return [(pair.chosen or 0) if pair else 0 for pair in loaded.pairs]


def _rewards(found: dict[str, float], place: int, chosen: int) -> Rewards | None:
    first, second = (found.get(f"{place}/{side}") for side in (chosen, 1 - chosen))
    return None if first is None or second is None else (first, second)
