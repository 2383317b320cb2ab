"""How fast `dt2it t2i` is and how much memory it takes, beside a plain script that does the same to the same file."""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.errors import StageFailed

COMMAND = (sys.executable, "-c", "from dt2it_ray.cli import main; main()", "t2i")
PLAIN = (sys.executable, str(Path(__file__).with_name("plain_t2i.py")))
WORDS = (
    "a red car parked beside an old stone house under the evening sky with dramatic light, cinematic, detailed "
    "portrait of a woman holding a blue umbrella in the rain, watercolor style, highly realistic, forest, mountain"
)
SAMPLED_EVERY_S = 0.02
ROWS_PER_GROUP = 65536


def run_t2i(rows: int = 300_000, repeats: int = 3, command: Sequence[str] = COMMAND) -> dict[str, Any]:
    """Median wall seconds and peak MiB of whole processes for `rows` caption pairs, and how often better we are.

    The ways take turns. Memory is measured in runs of its own: the peak over time of the sum over all processes.

    Raises:
        StageFailed: a command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines, columns = _write_inputs(Path(folder), rows)
        output = os.path.join(folder, "out")
        ways = {
            "plain": [*PLAIN, lines, f"{output}.plain.json"],
            "jsonl": [*command, "--input", lines, "--output", f"{output}.json"],
            "parquet": [*command, "--input", columns, "--output", f"{output}.parquet"],
        }
        took = {way: statistics.median(times) for way, times in _take_turns(ways, repeats).items()}
        held = {way: _peak_mib(typed) for way, typed in ways.items()}
    figures: dict[str, Any] = {"rows": rows, "cores": os.cpu_count()}
    for way in ways:
        figures[f"{way}_s"], figures[f"{way}_mib"] = round(took[way], 3), round(held[way], 1)
    for way in ("jsonl", "parquet"):
        figures[f"{way}_times_faster"] = round(took["plain"] / took[way], 2)
        figures[f"{way}_share_of_memory"] = round(held[way] / held["plain"], 3)
    return figures


def _write_inputs(folder: Path, rows: int) -> tuple[str, str]:
    """The same caption pairs as JSON lines and as Parquet; every tenth caption is Chinese."""
    draw = random.Random(1)
    pairs = [_pair(draw, number) for number in range(rows)]
    lines, columns = folder / "in.jsonl", folder / "in.parquet"
    with open(lines, "w", encoding="utf-8") as stream:
        stream.writelines(f"{json.dumps(pair, ensure_ascii=False)}\n" for pair in pairs)
    pq.write_table(pa.Table.from_pylist(pairs), columns, row_group_size=ROWS_PER_GROUP)
    return str(lines), str(columns)


def _pair(draw: random.Random, number: int) -> dict[str, Any]:
    caption = " ".join(draw.choices(WORDS.split(), k=draw.randint(6, 24)))
    if number % 10 == 0:
        caption = "一辆红色的汽车停在古老的石屋旁，" * draw.randint(1, 3)
    images = [f"images/{number // 1000:04d}/{number:08d}_{place}.jpg" for place in (0, 1)]
    return {"chosen": {"value": caption}, "rejected": {"value": caption}, "images": images}


def _take_turns(ways: dict[str, list[str]], repeats: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, typed in ways.items():
            began = time.perf_counter()
            _check(subprocess.run(typed, capture_output=True, text=True, check=False))
            times[way].append(time.perf_counter() - began)
    return times


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise StageFailed(f"{' '.join(done.args[:4])} ... failed with {done.returncode}: {done.stderr[-500:]}")


def _peak_mib(typed: list[str]) -> float:
    """The most memory that a command and its children hold at once; shared pages are divided among them."""
    peak = 0
    with subprocess.Popen(typed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        while started.poll() is None:
            peak = max(peak, held_bytes(started.pid))
            time.sleep(SAMPLED_EVERY_S)
    return peak / 2**20


def held_bytes(process_id: int) -> int:
    """What a process and its children hold now; 0 if it has just ended."""
    try:
        root = psutil.Process(process_id)
        return sum(process.memory_full_info().pss for process in (root, *root.children(recursive=True)))
    except psutil.Error:
        return 0
