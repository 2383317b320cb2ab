"""What `dt2it evaluate` is told, where its results go, and what it says."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats import rewardbench_2
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.evaluate_models import prediction_rows
from dt2it_ray.pipeline.evaluate_rewardbench_2 import evaluate_rewardbench_2, rewardbench_2_lines
from dt2it_ray.pipeline.evaluate_run import EvaluateRunSettings, evaluate_benchmark
from dt2it_ray.pipeline.named_files import parent_and_name, write_text
from dt2it_ray.report.evaluation_text import evaluation_lines, evaluation_markdown
from dt2it_ray.report.leaderboard import build_leaderboard
from dt2it_ray.settings import load_settings


@dataclass(frozen=True)
class Outputs:
    """Files to write; an empty name writes none."""

    json: str = ""
    markdown: str = ""
    save: str = ""
    """Rewards of the first model as a file of predictions."""
    page: str = ""
    """Leaderboard beside published figures, as one HTML file."""


def run_evaluation(
    named: Mapping[str, Any], outputs: Outputs, config: str | None = None, overrides: Iterable[str] = ()
) -> list[str]:
    """Evaluate, write the outputs, and return what to print. Empty values of `named` leave the config's.

    Raises:
        ConfigError: a setting is wrong. InputError: rows or predictions do not fit. StoreError: a file cannot be
        written.
    """
    given = [f"{key}={json.dumps(value)}" for key, value in named.items() if value]
    settings = load_settings(EvaluateRunSettings, config, [*given, *overrides])
    if settings.benchmark == rewardbench_2.NAME:
        return _run_rewardbench_2(settings, outputs)
    evaluated = evaluate_benchmark(settings)
    result = evaluated.result
    made: dict[str, Callable[[], str]] = {
        outputs.json: lambda: _as_json(result),
        outputs.markdown: lambda: evaluation_markdown(result),
        outputs.page: lambda: build_leaderboard([result]),
        outputs.save: lambda: _as_lines(prediction_rows(evaluated.loaded, evaluated.models[0])),
    }
    written = [name for name in made if name]
    for name in written:
        write_text(name, made[name]())
    return [*evaluation_lines(result), *([f"Figures: {', '.join(written)}"] if written else [])]


def _run_rewardbench_2(settings: EvaluateRunSettings, outputs: Outputs) -> list[str]:
    """Its rows have several answers each, so that no figure of pairs is defined: JSON only."""
    if outputs.markdown or outputs.page or outputs.save:
        raise ConfigError(f"{rewardbench_2.NAME} has --json only")
    result = evaluate_rewardbench_2(settings)
    if outputs.json:
        write_text(outputs.json, _as_json(result))
    return rewardbench_2_lines(result)


def write_leaderboard(names: Sequence[str], page: str) -> None:
    """Write one page of several results, each a file that `run_evaluation` wrote as JSON.

    Raises:
        InputError: a file is no such result. StoreError: a file cannot be read or written.
    """
    write_text(page, build_leaderboard([read_result(name) for name in names]))


def read_result(path: str) -> dict[str, Any]:
    """The figures in a file of `dt2it evaluate --json`. Raises InputError where it holds something else."""
    folder, name = parent_and_name(path)
    try:
        result = json.loads(folder.read(name))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    if not isinstance(result, dict) or not {"benchmark", "rows", "by_length_difference"} <= set(result):
        raise InputError(f"{path} is no result of `dt2it evaluate --json` over pairs")
    return result


def _as_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def _as_json(result: Mapping[str, Any]) -> str:
    return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
