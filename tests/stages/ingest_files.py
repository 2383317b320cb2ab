"""Outside files as a test needs them: rows of a known format, images beside them."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dt2it_ray.pipeline.ingest_run import IngestRunSettings, run_ingest


def picture(seed: int, kind: str = "PNG", side: int = 64, quality: int = 95) -> bytes:
    """A smooth image of its own look."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, kind, **({"quality": quality} if kind == "JPEG" else {}))
    return stream.getvalue()


def flat(question: str, chosen: str = "Red.", rejected: str = "Blue.", **fields: Any) -> dict[str, Any]:
    """A row of the flat format."""
    return {"question": question, "chosen": chosen, "rejected": rejected, **fields}


def write_lines(path: Path, rows: list[Any]) -> str:
    """A JSONL file; what is text already stays as it is."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def settings_of(tmp_path: Path, source: str, **ingest: Any) -> IngestRunSettings:
    """Settings that read flat rows into `tmp_path/out` in this process."""
    tree = {"files": {"input": source}, "output": str(tmp_path / "out"), "ingest": {"format": "flat", **ingest}}
    return IngestRunSettings.model_validate(tree)


def ingest(tmp_path: Path, rows: list[Any], **fields: Any) -> dict[str, Any]:
    """The summary of rows that are written to a file and ingested."""
    return run_ingest(settings_of(tmp_path, write_lines(tmp_path / "rows.jsonl", rows), **fields))


def refused(tmp_path: Path) -> list[dict[str, Any]]:
    """The refused rows of an ingestion."""
    return [json.loads(line) for line in (tmp_path / "out" / "dropped.jsonl").read_text("utf-8").splitlines()]


def refusals(tmp_path: Path) -> dict[int, tuple[str, str]]:
    """Reason and field by row."""
    return {row["row"]: (row["reason"], row["field"]) for row in refused(tmp_path)}
