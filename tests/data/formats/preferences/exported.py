"""Pairs of every kind as rows of a file: with images and without, with turns, a system prompt, strengths and marks."""

import json
from pathlib import Path
from typing import Any

from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from tests.data.formats.preferences.reading import named
from tests.stages.rows import png

IMAGES = ("a.png", "b.png")
HELLO = (Turn("system", "Be brief."), Turn("user", "Hi", 1), Turn("assistant", "Hello"))
PAIRS = (
    Preference("Why?", "So.", "Not so."),
    Preference("What is it?", "A cat.", "A dog.", images=named("a.png"), strength=0.5, item="7", source="toy"),
    Preference("What differs?", "颜色", "Nothing.", images=named("a.png", "b.png")),
    Preference("And here?", "A dog.", "A cat.", images=named("a.png", "b.png"), history=HELLO, strength=2.0),
    Preference("Sure?", "Yes.", "No.", history=(Turn("user", "1 + 1?"), Turn("assistant", "2"))),
)


def rows_held(form: str) -> list[tuple[Preference, dict[str, Any]]]:
    """The pairs that a format can hold, with their rows."""
    release = PREFERENCE_FORMATS[form].release
    assert release is not None
    rows = [(pair, release(pair, [image["path"] for image in pair.images])) for pair in PAIRS]
    return [(pair, row) for pair, row in rows if row is not None]


def write_export(form: str, folder: Path, suffix: str = "jsonl") -> Path:
    """The rows as a file beside their images."""
    for place, name in enumerate(IMAGES):
        (folder / name).write_bytes(png(place))
    rows = [json.dumps(row, ensure_ascii=False) for _, row in rows_held(form)]
    path = folder / f"{form}.{suffix}"
    path.write_text("\n".join(rows) if suffix == "jsonl" else f"[{','.join(rows)}]", encoding="utf-8")
    return path
