"""Evaluate rewards, a reward model or a judge on a benchmark.

    python jobs/evaluate.py --benchmark vl_rewardbench --rows data.jsonl --predictions preds.jsonl --json out.json
    python jobs/evaluate.py --benchmark mm_rlhf_rewardbench --rows DIR --model runs/demo/iter-02/train/ID/model
    ray job submit --working-dir . -- python jobs/evaluate.py --config jobs/configs/evaluate.yaml rows=/shared/bench

Exit codes: 0 done, 1 rows or rewards do not fit, 2 bad usage or config.
"""

import sys

from dt2it_ray.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
