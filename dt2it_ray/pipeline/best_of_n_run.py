"""How the worth of a reward for best-of-N is measured from a file of answers with known qualities."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.chat import language_of
from dt2it_ray.data.formats.answer_rows import AnswerRow, read_answer_rows
from dt2it_ray.data.formats.own_pairs import FORMAT
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.errors import InputError
from dt2it_ray.models.critic_settings import CriticSettings, find_critic
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Scorer
from dt2it_ray.pipeline.evaluate_score import EvaluatePlace, scorer_of
from dt2it_ray.pipeline.named_files import parent_and_name, write_text
from dt2it_ray.report.best_of_n import build_curve_page
from dt2it_ray.rules.best_of_n import Answered, best_of_n
from dt2it_ray.rules.predictions import PlacedItem, align_many
from dt2it_ray.settings import Settings
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.score import score_batch
from dt2it_ray.store.files import Folder


class BestOfNSettings(Settings):
    """One measurement: answers with qualities, whose rewards, and how far the curve goes."""

    rows: str
    """File of rows with `answers`, `qualities` and perhaps `rewards`."""
    rewards: str = ""
    """File of rewards by row, as `rewards` in the order of its answers. Empty: those in the rows, or the model's."""
    model: str = ""
    """Folder of a reward model that scores the answers."""
    most: int = Field(default=0, ge=0)
    """Largest n of the curve. 0: as many answers as every prompt has."""
    score: ScoreSettings = ScoreSettings()
    """How the model is read out."""
    critic: CriticSettings = CriticSettings()
    """Who writes the critiques that it reads, if it was trained with some."""
    place: EvaluatePlace = EvaluatePlace()
    """Where it runs."""
    intervals: IntervalSettings = IntervalSettings()
    """Over prompts."""


def measure_best_of_n(settings: BestOfNSettings) -> dict[str, Any]:
    """The curve as plain values; see `best_of_n`. Prompts without rewards are left out and counted as `unscored`.

    Raises:
        InputError: rows or rewards do not fit. StoreError: a file or the model cannot be read. ConfigError: `critic`
            is set, and no model that reads critiques scores.
    """
    folder, name = parent_and_name(settings.rows)
    rows = list(read_answer_rows(folder, name))
    if not rows:
        raise InputError(f"{settings.rows} has no rows")
    rewards = _rewards(settings, rows, folder)
    pairs = zip(rows, rewards, strict=True)
    answered = [Answered(row.qualities, given) for row, given in pairs if given is not None]
    told = best_of_n(answered, settings.intervals.resampling(), settings.most)
    return {"rows": settings.rows, "unscored": len(rows) - len(answered), **told}


def run_best_of_n(settings: BestOfNSettings, output: str = "", page: str = "") -> list[str]:
    """Measure, write the figures as JSON and as a page where files are named, and return lines to print."""
    told = measure_best_of_n(settings)
    if output:
        write_text(output, json.dumps(told, indent=2, allow_nan=False) + "\n")
    if page:
        write_text(page, build_curve_page(told))
    lines = [
        f"{told['prompts']:,} prompts; {told['left_out']:,} with fewer than {told['most']} answers, "
        f"{told['unscored']:,} unscored"
    ]
    lines += [_line(point) for point in told["curve"]]
    if told["over_optimised"]:
        lines.append(
            f"over-optimised: quality falls by {-told['fall_after_peak']['value']:.4f} behind n = {told['peak']['n']}"
        )
    return lines


def _line(point: dict[str, Any]) -> str:
    share = "" if point["gain_share"] is None else f", {point['gain_share']:.1%} of what the oracle gains"
    values = (
        f"{point['picked']['value']:.4f}, oracle {point['oracle']['value']:.4f}, random {point['random']['value']:.4f}"
    )
    return f"n = {point['n']} (KL {point['kl']:.3f}): {values}{share}"


def _rewards(settings: BestOfNSettings, rows: Sequence[AnswerRow], folder: Folder) -> list[Sequence[float] | None]:
    if settings.rewards or not settings.model:
        # Refused where it would do nothing.
        find_critic(settings.critic, ())
    if settings.rewards:
        place, name = parent_and_name(settings.rewards)
        items = [PlacedItem(row.where, row.item, 0) for row in rows]
        raw = ((f"row {record.number}", record.fields) for record in read_records(place, name))
        return list(align_many(items, [len(row.qualities) for row in rows], raw, settings.rewards))
    if settings.model:
        with scorer_of(settings.model, settings.score, settings.place, settings.critic) as scorer:
            return score_answers(rows, scorer, folder, settings.place.batch_rows)
    lacking = next((row for row in rows if row.rewards is None), None)
    if lacking is not None:
        raise InputError(f"{lacking.where} has no `rewards`; give --rewards FILE or --model FOLDER")
    return [row.rewards for row in rows]


def score_answers(
    rows: Sequence[AnswerRow], scorer: Scorer, folder: Folder, batch_rows: int
) -> list[Sequence[float] | None]:
    """The rewards of every row's answers; None for a row of which any answer cannot be scored."""
    opened, found = FORMAT.images(folder), dict[str, float]()
    for start in range(0, len(rows), batch_rows):
        prompts = [
            _prompt(place, row, list(opened(row.fields)))
            for place, row in enumerate(rows[start : start + batch_rows], start)
        ]
        scores = score_batch(pa.Table.from_pylist(prompts, schema=PROMPTS), scorer).rows
        found |= dict(zip(scores["answer_id"].to_pylist(), scores["score"].to_pylist(), strict=True))
    told = [[found.get(f"{place}/{k}") for k in range(len(row.qualities))] for place, row in enumerate(rows)]
    return [None if None in each else each for each in told]  # type: ignore[misc]


def _prompt(place: int, row: AnswerRow, images: list[Any]) -> dict[str, Any]:
    if not row.answers:
        raise InputError(f"{row.where} has no `answers` to score")
    answers = [{"answer_id": f"{place}/{k}", "text": text} for k, text in enumerate(row.answers)]
    return {
        "prompt_id": str(place),
        "language": language_of(row.question),
        "images": images,
        "question": row.question,
        "answers": answers,
    }
