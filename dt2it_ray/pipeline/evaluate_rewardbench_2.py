"""How a reward is evaluated on RewardBench 2, whose rows have several answers, from predictions or with a model."""

import os
from typing import Any

from dt2it_ray.data.formats.answer_rows import AnswerRow
from dt2it_ray.data.formats.benchmark_rows import files_of
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.data.formats.rewardbench_2 import COUNT, FILES, NAME, RightAndWrong, read_right_and_wrong
from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.best_of_n_run import score_answers
from dt2it_ray.pipeline.evaluate_models import named_file
from dt2it_ray.pipeline.evaluate_run import EvaluateRunSettings
from dt2it_ray.pipeline.evaluate_score import scorer_of
from dt2it_ray.pipeline.named_files import parent_and_name
from dt2it_ray.rules.predictions import PlacedItem, align_many
from dt2it_ray.rules.rewardbench_2 import Scored, rewardbench_2_figures
from dt2it_ray.store.files import Folder


def evaluate_rewardbench_2(settings: EvaluateRunSettings) -> dict[str, Any]:
    """The figures as plain values: `accuracy` is the mean of the subsets, which are `categories`.

    A prediction is `{"id": ..., "rewards": [...]}` in the order chosen, rejected of its row.

    Raises:
        ConfigError: not exactly one file of predictions or model is given. InputError: rows or predictions do not fit.
    """
    if len(settings.predictions) + len(settings.models) != 1 or settings.judge:
        raise ConfigError(f"{NAME} takes one file of --predictions or one --model")
    name, path = named_file(settings.predictions[0]) if settings.predictions else (settings.models[0], "")
    folder, names = _found(settings.rows)
    rows = [row for name in names for row in read_right_and_wrong(folder, name)]
    rewards = _from_file(rows, path) if path else _from_model(rows, settings)
    scored = [Scored(row.item, row.subset, row.right, given) for row, given in zip(rows, rewards, strict=True)]
    told = {"n": len(rows), "released_n": [COUNT], "as_released": len(rows) == COUNT}
    return {"benchmark": NAME, "model": name, "rows": told} | (
        rewardbench_2_figures(scored, settings.figures.resampling())
    )


def rewardbench_2_lines(result: dict[str, Any]) -> list[str]:
    """What a terminal shows."""
    subsets = ", ".join(f"{name} {100 * part['accuracy']:.2f}" for name, part in result["categories"].items())
    return [f"{result['model']}: {100 * result['accuracy']:.2f} over {result['n']:,} rows ({subsets})"]


def _from_file(rows: list[RightAndWrong], path: str) -> list[Any]:
    folder, [name] = _found(path)
    items = [PlacedItem(row.where, row.item, 0) for row in rows]
    raw = ((f"row {record.number}", record.fields) for record in read_records(folder, name))
    return align_many(items, [len(row.answers) for row in rows], raw, path)


def _from_model(rows: list[RightAndWrong], settings: EvaluateRunSettings) -> list[Any]:
    asked = [
        AnswerRow(row.where, row.item, row.question, row.answers, [0.0] * len(row.answers), None, {}) for row in rows
    ]
    with scorer_of(settings.models[0], settings.score, settings.place, settings.critic) as scorer:
        return score_answers(asked, scorer, Folder(os.getcwd()), settings.place.batch_rows)


def _found(path: str) -> tuple[Folder, list[str]]:
    parent, name = parent_and_name(path)
    if name in parent.names():
        return parent, [name]
    if not parent.exists(name):
        raise ConfigError(f"{path}: there is no such file or folder")
    return Folder(path), files_of(NAME, (FILES,), Folder(path))
