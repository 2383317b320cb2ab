"""How `dt2it calibrate` fits the temperature of a reward model's margins on pairs that people have labelled."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.models.calibration import CALIBRATION, Calibration
from dt2it_ray.models.critic_settings import CriticSettings
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Scorer, reward_conversation
from dt2it_ray.pipeline.evaluate_score import EvaluatePlace, scorer_of
from dt2it_ray.pipeline.export_run import find_preferences
from dt2it_ray.pipeline.preference_files import rows_of
from dt2it_ray.rules.calibration_fit import fit_calibration
from dt2it_ray.settings import Settings
from dt2it_ray.store.files import Folder


class CalibrateSettings(Settings):
    """One calibration: which model, on which pairs."""

    model: str
    """Folder of a reward model or of an ensemble."""
    pairs: str
    """Folder of reference pairs as `dt2it ingest` wrote it: labels that people agree on, of the kind that the model
    will be asked about, and none that it was trained on."""
    least_pairs: int = Field(default=200, ge=2)
    """Fewer pairs that can be scored are refused: at 200 the expected calibration error itself is uncertain by about
    3 points."""
    score: ScoreSettings = ScoreSettings()
    """How the model is read out. `score.calibrated` must stay false: it is what is fitted here."""
    critic: CriticSettings = CriticSettings()
    """Who writes the critiques that it reads, if it was trained with some. Whoever scores with this calibration has to
    name the same."""
    place: EvaluatePlace = EvaluatePlace()
    """Where it runs."""


def calibrate_model(settings: CalibrateSettings) -> Calibration:
    """Fit a calibration and write it beside the model's weights.

    Raises:
        ConfigError: the folder holds no pairs. InputError: too few pairs can be scored, or the model does not order
            them as people do. StoreError: the model cannot be read.
    """
    if settings.score.calibrated:
        raise ConfigError("score.calibrated=true: a calibration is fitted to raw rewards; leave it false here")
    source = Folder(settings.pairs)
    made = find_preferences(source)
    if made is None:
        raise ConfigError(f"pairs={settings.pairs}: no finished set of pairs is there; make one with `dt2it ingest`")
    with scorer_of(settings.model, settings.score, settings.place, settings.critic) as scorer:
        rewards, prompts, lost = _rewards(scorer, rows_of(source, made), settings.place.batch_rows)
    if len(rewards) < settings.least_pairs:
        raise InputError(
            f"{settings.pairs}: {len(rewards)} pairs could be scored and {lost} not; at least "
            f"least_pairs={settings.least_pairs} are needed"
        )
    fit = fit_calibration(rewards[:, 0] - rewards[:, 1], prompts)
    found = Calibration(
        **vars(fit),
        mean=float(rewards.mean()),
        std=float(rewards.std()),
        pairs=len(rewards),
        reference=made.fingerprint,
        fingerprint=scorer.fingerprint,
    )
    Folder(settings.model).write(CALIBRATION, (found.model_dump_json(indent=2) + "\n").encode())
    return found


def calibration_lines(found: Calibration, model: str) -> list[str]:
    """What a terminal shows."""
    return [
        f"{found.pairs:,} pairs, {100 * found.accuracy:.1f} % ordered as people do; "
        f"temperature {found.temperature:.4g}, mean reward {found.mean:.4g}",
        f"expected calibration error {found.ece_before:.4f} before, {found.ece_after:.4f} after; log loss "
        f"{found.log_loss_before:.4f} before, {found.log_loss_after:.4f} after (each half by the other's temperature)",
        f"Written: {model}/{CALIBRATION}",
    ]


def _rewards(scorer: Scorer, tables: Iterator[pa.Table], batch_rows: int) -> tuple[np.ndarray, list[str], int]:
    """[pairs, 2] rewards of chosen and rejected answers, the prompts of the pairs, and how many cannot be scored."""
    kept: list[tuple[float, float]] = []
    prompts: list[str] = []
    lost = 0
    for table in tables:
        for batch in table.to_batches(max_chunksize=batch_rows):
            rows = batch.to_pylist()
            for row, rewards in zip(rows, _pairs(scorer, rows), strict=True):
                if rewards is None:
                    lost += 1
                    continue
                kept.append(rewards)
                prompts.append(row["prompt_id"])
    return np.array(kept, np.float64).reshape(-1, 2), prompts, lost


def _pairs(scorer: Scorer, rows: Sequence[dict[str, Any]]) -> list[tuple[float, float] | None]:
    asked = [reward_conversation(row, row[side]) for row in rows for side in ("chosen", "rejected")]
    told = iter(scorer.score(asked))
    return [
        None if isinstance(chosen, Dropped) or isinstance(rejected, Dropped) else (chosen, rejected)
        for chosen, rejected in zip(told, told, strict=True)
    ]
