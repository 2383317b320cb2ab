"""Turn text-to-image preferences into two-image pairs with exactly balanced positions.

    python jobs/t2i.py --input t2i.jsonl --output out.json [--to llama_factory] [--seed 42]

Exit codes: 0 done, 1 the conversion failed, 2 bad usage.
"""

import argparse
import sys

from dt2it_ray.errors import Dt2itError
from dt2it_ray.pipeline.t2i_files import run_t2i_command


def main() -> int:
    """Exit code of the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True, help="rows in JSONL, a JSON list or Parquet, by the file's ending")
    parser.add_argument("--output", required=True, help="pairs; refused rows go to OUTPUT.dropped.jsonl")
    parser.add_argument("--to", help="llama_factory, jsonl or parquet; default: by the ending of OUTPUT")
    parser.add_argument("--seed", type=int, default=42, help="another seed gives other, equally balanced positions")
    parser.add_argument("--shape", default="", help="shape of the rows, if it is not to be found by looking at them")
    parser.add_argument("--ties", choices=("keep", "drop"), default="keep")
    parser.add_argument("--least-gap", type=float, default=0.0, help="leave out pairs whose scores are nearer")
    parser.add_argument("--pairing", choices=("all", "best"), default="all", help="which pairs of several images")
    parser.add_argument("--most-pairs", type=int, default=0, help="at most so many pairs of a row; 0 for all")
    parser.add_argument("--swap-augment", action="store_true", help="write every pair in both orders")
    parser.add_argument("--check-images", action="store_true", help="drop rows whose images cannot be opened")
    parser.add_argument("--image-folder", help="what image paths are relative to; default: the input's folder")
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    typed = vars(parser.parse_args())
    try:
        print(run_t2i_command(typed.pop("input"), typed.pop("output"), **typed))
    except Dt2itError as error:
        print(f"t2i: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
