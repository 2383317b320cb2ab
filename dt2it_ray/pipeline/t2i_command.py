"""What `dt2it t2i` can be told, and what it tells."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dt2it_ray.pipeline.t2i_passes import Counts


def run_t2i_command(typed: Sequence[str]) -> None:
    """Convert the file that the arguments name, and print what became of its rows.

    Raises:
        SystemExit: of argparse, for bad usage and `--help`. ConfigError, InputError, StoreError, StageFailed: as
        `convert_t2i` does.
    """
    options = vars(_parser().parse_args(typed))
    # Rows hold no cycles, and looking for some takes a twentieth of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        _convert(options)
    finally:
        if was_on:
            gc.enable()


def _convert(options: dict[str, Any]) -> None:
    if sys.platform == "linux":
        # Arrow's first choice holds a third more memory (134 against 100 MiB for 300,000 rows) and is a tenth slower.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    from dt2it_ray.pipeline.t2i_files import convert_t2i
    from dt2it_ray.pipeline.t2i_passes import T2iOptions

    source, output, to, workers = (options.pop(name) for name in ("input", "output", "to", "workers"))
    folder = options.pop("image_folder") or os.path.dirname(os.path.abspath(source))
    options["check_images"] = folder if options["check_images"] else None
    print(_summary(convert_t2i(source, output, to, T2iOptions(**options), workers), output))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "dt2it t2i",
        description="Turn text-to-image preferences into two-image pairs with exactly balanced positions.",
        epilog="Exit codes: 0 done, 1 no usable row or a file cannot be read or written, 2 bad usage, 130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--input", required=True, help="rows in JSONL, a JSON list or Parquet, by the file's ending")
    parser.add_argument("--output", required=True, help="pairs; refused rows go to OUTPUT.dropped.jsonl")
    parser.add_argument("--to", help="llama_factory, jsonl or parquet; default: by the ending of OUTPUT")
    parser.add_argument("--seed", type=int, default=42, help="another seed gives other, equally balanced positions")
    parser.add_argument("--shape", default="", help="shape of the rows, if it is not to be found by looking at them")
    parser.add_argument("--ties", choices=("keep", "drop"), default="keep", help="whether ties become pairs")
    parser.add_argument("--least-gap", type=float, default=0.0, help="leave out pairs whose scores are nearer")
    parser.add_argument("--pairing", choices=("all", "best"), default="all", help="which pairs of several images")
    parser.add_argument("--most-pairs", type=int, default=0, help="at most so many pairs of a row; 0 for all")
    parser.add_argument("--swap-augment", action="store_true", help="write every pair in both orders")
    parser.add_argument("--check-images", action="store_true", help="drop rows with images that cannot be decoded")
    parser.add_argument("--image-folder", help="what image paths are relative to; default: the input's folder")
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    return parser


def _summary(counts: Counts, output: str) -> str:
    lost = sum(counts.dropped.values())
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(counts.dropped.items()))
    return (
        f"{counts.pairs:,} pairs of {counts.rows - lost:,} rows in {output}: the preferred image is first in "
        f"{counts.preferred_first:,} of {counts.pairs - counts.ties:,}; {counts.ties:,} ties\n"
        f"{lost:,} rows dropped{f' ({reasons})' if reasons else ''}: {output}.dropped.jsonl"
    )
