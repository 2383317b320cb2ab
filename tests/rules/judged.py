"""Small tables of judgements, answers and sources for the tests of reliability."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dt2it_ray.data.schema import JUDGEMENTS


def judgement(
    prompt: str,
    overalls: Mapping[str, float],
    judge: str = "j",
    mode: str = "listwise",
    shown: int = 0,
    order: str = "",
) -> dict[str, Any]:
    """One judgement of answers `prompt + letter`, by letter; `order` lists the letters as shown."""
    return {
        "prompt_id": prompt,
        "judge": judge,
        "mode": mode,
        "shown": shown,
        "order": [prompt + letter for letter in order or sorted(overalls)],
        "assessments": [{"answer_id": prompt + letter, "overall": value} for letter, value in overalls.items()],
    }


def judgement_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=JUDGEMENTS)


def answer_table(prompts: Iterable[str], kinds: Mapping[str, tuple[int, str | None]]) -> pa.Table:
    """Characters and origin of the answers of every prompt, by letter."""
    rows = [
        {"answer_id": prompt + letter, "characters": characters, "origin": origin}
        for prompt in prompts
        for letter, (characters, origin) in kinds.items()
    ]
    schema = pa.schema([("answer_id", pa.string()), ("characters", pa.int64()), ("origin", pa.string())])
    return pa.Table.from_pylist(rows, schema=schema)


def source_table(sources: Mapping[str, str]) -> pa.Table:
    rows = [{"prompt_id": prompt, "source": source} for prompt, source in sources.items()]
    return pa.Table.from_pylist(rows, schema=pa.schema([("prompt_id", pa.string()), ("source", pa.string())]))
