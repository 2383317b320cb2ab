"""Small files of text-to-image preferences, and conversions of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.pipeline.t2i_files import convert_t2i
from dt2it_ray.pipeline.t2i_passes import T2iOptions


def caption_pair(number: int, caption: str | None = None) -> dict[str, Any]:
    text = caption or (f"a red car {number}" if number % 3 else f"一辆红色的车 {number}")
    return {"chosen": {"value": text}, "rejected": {"value": text}, "images": [f"{number}-a.jpg", f"{number}-b.jpg"]}


PAIRS = [caption_pair(number) for number in range(41)]


def written(path: Path, rows: Sequence[Any]) -> Path:
    """The file with rows as its ending says; texts are written to JSON lines as they are."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=7)
    elif path.suffix == ".json":
        path.write_text(json.dumps(list(rows), indent=2))
    else:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
    return path


def read_pairs(path: Path) -> list[dict[str, Any]]:
    """The pairs of an output of any kind; an unknown margin is left out."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    elif path.suffix == ".json":
        rows = json.loads(path.read_text())
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def read_dropped(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(f"{output}.dropped.jsonl").read_text().splitlines()]


def convert(
    folder: Path, rows: Sequence[Any], ending: str = ".jsonl", out: str = "out.json", **options: Any
) -> list[dict[str, Any]]:
    """The pairs made of the rows."""
    source = written(folder / f"in{ending}", rows)
    convert_t2i(str(source), str(folder / out), options=T2iOptions(**options))
    return read_pairs(folder / out)


def says_first(row: dict[str, Any]) -> bool:
    """Whether a pair says that its first image is better."""
    return row["chosen"]["value"] == "Image 1 is better than Image 2."
