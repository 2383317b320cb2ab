"""Measure the speed and memory of a part of the system, and print the figures as JSON.

    python jobs/benchmark.py construct                                 a pool of actors and the memory of its driver
    python jobs/benchmark.py construct --only stage_pool --rows 20000  one measurement, on fewer rows
    python jobs/benchmark.py construct --only vllm_loop --model DIR    our vLLM engine beside vLLM's own loop
    python jobs/benchmark.py construct --only vllm_loop --model DIR --images --rows 400 --tokens 64
    python jobs/benchmark.py t2i --json t2i.json
    python jobs/benchmark.py train --llama-factory PYTHON              shared prompts beside separate passes and peers
    python jobs/benchmark.py score                                     the same for scoring
    python jobs/benchmark.py train --size 8b --device cuda --peak-tflops 989

What the figures mean stands in docs/benchmarks.md.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from dt2it_ray.errors import Dt2itError
from dt2it_ray.speed.benchmarks import SUBJECTS, Wanted, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=list(SUBJECTS))
    parser.add_argument("--only", help="one measurement of the subject")
    parser.add_argument("--rows", type=int, help="rows to take, where their number is free")
    parser.add_argument("--model", help="folder of a checkpoint, for vllm_loop, train and score")
    parser.add_argument("--images", action="store_true", help="vllm_loop asks about a rendered scene each")
    parser.add_argument("--samples", type=int, default=Wanted.samples, help="answers to each prompt of vllm_loop")
    parser.add_argument("--tokens", type=int, default=Wanted.tokens, help="most tokens of an answer of vllm_loop")
    parser.add_argument(
        "--prompt-ratio", type=float, default=Wanted.prompt_ratio, help="prompt tokens for each of an answer"
    )
    parser.add_argument("--llama-factory", help="Python that has LLaMA-Factory, for train")
    parser.add_argument("--size", choices=["tiny", "8b"], help="train and score with dummy weights of this size")
    parser.add_argument("--device", default=Wanted.device, help="where dummy weights compute: cpu or cuda")
    parser.add_argument("--peak-tflops", type=float, help="of the device, for the share of it that is used")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    told = parser.parse_args()
    try:
        names = (field.name for field in dataclasses.fields(Wanted))
        wanted = Wanted(**{name: getattr(told, name) for name in names})
        figures = json.dumps(measure(told.subject, told.only, wanted), indent=2)
    except Dt2itError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(figures)
    if told.json:
        told.json.write_text(figures + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
