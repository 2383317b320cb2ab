"""Measure the speed and memory of a part of the system, and print the figures as JSON.

    python jobs/benchmark.py construct                        all that concerns construction, about 10 minutes
    python jobs/benchmark.py construct --only stage_pool      one measurement of it
    python jobs/benchmark.py t2i --rows 300000 --json t2i.json

What the figures mean stands in docs/benchmarks.md.
"""

import argparse
import json
from pathlib import Path

from dt2it_ray.speed.benchmarks import MEASUREMENTS, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=list(MEASUREMENTS))
    names = [name for measurements in MEASUREMENTS.values() for name, _ in measurements]
    parser.add_argument("--only", choices=names, help="one measurement of the subject")
    parser.add_argument("--rows", type=int, help="rows to take, for measurements whose size is free")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    told = parser.parse_args()
    figures = json.dumps(measure(told.subject, told.rows, told.only), indent=2)
    print(figures)
    if told.json:
        told.json.write_text(figures + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
