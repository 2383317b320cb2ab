"""How fast a JSON list of LLaMA-Factory rows is ingested, and in how much memory, beside `datasets`, which loads it."""

import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dt2it_ray.errors import StageFailed
from dt2it_ray.speed.t2i import held_bytes

COMMAND = (sys.executable, "-c", "from dt2it_ray.cli import main; main()", "ingest")
LOAD = "import sys, datasets as d; d.load_dataset('json', data_files=sys.argv[1], cache_dir=sys.argv[2], split='train')"
TEXT = (
    "a red car parked beside an old stone house under the evening sky with dramatic light while two people hold blue "
    "umbrellas in the rain and a dog looks at the sign above the door of the shop on the left side of the street"
)
SAMPLED_EVERY_S = 0.1


def run_ingest_speed(rows: int = 1_000_000, command: Sequence[str] = COMMAND) -> dict[str, Any]:
    """Seconds, rows a second and peak MiB of whole processes that read one file of `rows` rows, one after the other.

    We parse, check every row, drop repeats and write Parquet with ids and figures; images are named and not opened.
    `datasets` parses and writes Arrow. Memory is the peak over time of the sum over all processes, with shared pages
    divided among them.

    Raises:
        StageFailed: a command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = write_rows(Path(folder) / "rows.json", rows)
        figures: dict[str, Any] = {"rows": rows, "mb": round(os.path.getsize(source) / 1e6), "cores": os.cpu_count()}
        ours = ["--input", source, "--format", "llama_factory", "--images", "ignore", "--output", f"{folder}/out"]
        figures["dt2it"] = _measured([*command, *ours], rows)
        if importlib.util.find_spec("datasets") is None:
            return figures | {"datasets": "not measured: `datasets` is not installed (pip install 'dt2it_ray[test]')"}
        figures["datasets"] = _measured([sys.executable, "-c", LOAD, source, f"{folder}/cache"], rows)
    figures["times_faster"] = round(figures["datasets"]["wall_s"] / figures["dt2it"]["wall_s"], 2)
    return figures


def write_rows(path: Path, rows: int) -> str:
    """A JSON list of different rows of some 590 bytes, one in a thousand of which repeats the row before it."""
    draw, row = random.Random(1), {}
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("[\n")
        for number in range(rows):
            row = row if number % 1000 == 999 else _row(draw, number)
            stream.write(f"  {json.dumps(row)}{',' if number + 1 < rows else ''}\n")
        stream.write("]\n")
    return str(path)


def _row(draw: random.Random, number: int) -> dict[str, Any]:
    lengths = ((8, 24), (18, 46), (18, 46))
    asked, *answers = (" ".join(draw.choices(TEXT.split(), k=draw.randint(*length))) for length in lengths)
    return {
        "conversations": [{"from": "human", "value": f"<image>{asked}?"}],
        "chosen": {"from": "gpt", "value": f"{answers[0]}."},
        "rejected": {"from": "gpt", "value": f"{answers[1]}."},
        "images": [f"images/{number // 1000:04d}/{number:08d}.jpg"],
    }


def _measured(typed: Sequence[str], rows: int) -> dict[str, float]:
    began, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile() as told, subprocess.Popen(typed, stdout=told, stderr=told) as started:
        while started.poll() is None:
            peak = max(peak, held_bytes(started.pid))
            time.sleep(SAMPLED_EVERY_S)
        wall_s = time.perf_counter() - began
        if started.returncode:
            told.seek(0)
            raise StageFailed(f"{' '.join(typed[:4])} ... failed: {told.read()[-500:].decode(errors='replace')}")
    return {"wall_s": round(wall_s, 2), "rows_per_s": round(rows / wall_s), "peak_mib": round(peak / 2**20)}
