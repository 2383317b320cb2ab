"""Write the rewards of every answer of a file, in its order.

    python jobs/score.py --model models/mine/model --input pairs.jsonl --format trl --output scores.jsonl
    python jobs/score.py --model A --model B --input asked.jsonl --format answers --output scores.parquet

Exit codes: 0 done, 1 a step failed or no row can be scored, 2 bad usage or config.
"""

import sys

from dt2it_ray.cli import main

if __name__ == "__main__":
    main(["score", *sys.argv[1:]])
