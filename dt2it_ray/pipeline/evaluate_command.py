"""What `dt2it evaluate` is told, where its results go, and what it says."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.pipeline.evaluate_run import EvaluateRunSettings, evaluate_benchmark
from dt2it_ray.report.evaluation_text import evaluation_lines, evaluation_markdown
from dt2it_ray.settings import load_settings
from dt2it_ray.store.files import Folder


@dataclass(frozen=True)
class Outputs:
    """Files to write; an empty name writes none."""

    json: str = ""
    markdown: str = ""


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
    result = evaluate_benchmark(settings)
    for name, text in ((outputs.json, _as_json(result)), (outputs.markdown, evaluation_markdown(result))):
        write_text(name, text)
    written = [name for name in (outputs.json, outputs.markdown) if name]
    return [*evaluation_lines(result), *_told_files(written)]


def write_text(path: str, text: str) -> None:
    """Write a whole file; nothing for an empty name. Raises StoreError when it cannot be written."""
    if path:
        whole = path if "://" in path else os.path.abspath(path)
        parent, _, name = whole.rpartition("/")
        Folder(parent).write(name, text.encode())


def _as_json(result: Mapping[str, Any]) -> str:
    return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _told_files(written: Sequence[str]) -> list[str]:
    return [f"Figures: {', '.join(written)}"] if written else []
