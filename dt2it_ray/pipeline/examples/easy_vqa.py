"""How the PyPI package `easy-vqa` (Victor Zhou, MIT) becomes rows with a right and a wrong answer.

Its 5,000 images of 64 x 64 pixels show one shape each; a question has one of 13 answers: yes, no, a shape, a colour.
"""

import importlib.util
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dt2it_ray.data.ids import unit_interval
from dt2it_ray.errors import ConfigError

KINDS = (
    ("yes", "no"),
    ("circle", "rectangle", "triangle"),
    ("green", "red", "gray", "teal", "black", "yellow", "brown", "blue"),
)
"""Answers that could be mistaken for each other."""
CATEGORIES = ("yes or no", "shape", "colour")

Entry = tuple[str, str, str, int]
"""Name, question, answer and number of the image."""


@dataclass(frozen=True)
class Split:
    """Which questions go into a file: of the package's train or test images, those of a part of the images."""

    name: str
    folder: str
    first: float
    last: float
    rows: int


SPLITS = (
    Split("demonstrations", "train", 0.0, 0.5, 4500),
    Split("trusted", "train", 0.5, 0.6, 750),
    Split("pool", "train", 0.6, 1.0, 2400),
    Split("test", "test", 0.0, 1.0, 900),
)
"""No image stands in two splits."""


def find_package() -> Path:
    """The folder of the installed package's files.

    Raises:
        ConfigError: it is not installed.
    """
    found = importlib.util.find_spec("easy_vqa")
    if found is None or found.origin is None:
        raise ConfigError("the package easy-vqa is not installed: pip install easy-vqa")
    return Path(found.origin).parent / "data"


def rows_of(package: Path, split: Split, seed: int = 0) -> Iterator[dict[str, Any]]:
    """The split's rows `id, image, question, answer, wrong, category`, drawn by hash, of each kind as many if there
    are; `image` is relative to the package's files. The wrong answer is another of the same kind."""
    told = json.loads((package / split.folder / "questions.json").read_text(encoding="utf-8"))
    numbered = [(f"{split.folder}-{number}", *entry) for number, entry in enumerate(told)]
    inside = [entry for entry in numbered if split.first <= unit_interval("easy-vqa image", entry[3]) < split.last]
    drawn = sorted(inside, key=lambda entry: (unit_interval("easy-vqa row", seed, entry[0]), entry[0]))
    for kind, (name, question, answer, image) in itertools.islice(_in_turn(drawn), split.rows):
        others = [other for other in KINDS[kind] if other != answer]
        yield {
            "id": name,
            "image": f"{split.folder}/images/{image}.png",
            "question": question,
            "answer": answer,
            "wrong": others[int(unit_interval("easy-vqa wrong", seed, name) * len(others))],
            "category": CATEGORIES[kind],
        }


def _in_turn(entries: Sequence[Entry]) -> list[tuple[int, Entry]]:
    """The entries with the place of their kind, one of each kind after the other: three in four ask for yes or no."""
    counts = [itertools.count() for _ in KINDS]
    kinds = [next(place for place, kind in enumerate(KINDS) if entry[2] in kind) for entry in entries]
    turns = [(next(counts[kind]), kind) for kind in kinds]
    return [(turns[at][1], entries[at]) for at in sorted(range(len(entries)), key=turns.__getitem__)]


def write_easy_vqa(output: Path, splits: Sequence[Split] = SPLITS, seed: int = 0) -> dict[str, int]:
    """Write a file of rows for every split and the images that they show; returns the rows of each file."""
    package, written = find_package(), {}
    for split in splits:
        rows = list(rows_of(package, split, seed))
        for image in sorted({row["image"] for row in rows}):
            (output / image).parent.mkdir(parents=True, exist_ok=True)
            (output / image).write_bytes((package / image).read_bytes())
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (output / f"{split.name}.jsonl").write_text(lines, encoding="utf-8")
        written[f"{split.name}.jsonl"] = len(rows)
    return written
