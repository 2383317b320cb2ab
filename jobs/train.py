"""Train a reward model on preferences of any known format.

    python jobs/train.py --input pairs.jsonl --format trl --base CHECKPOINT --output models/mine [KEY=VALUE...]
    ray job submit --working-dir . -- python jobs/train.py --config mine.yaml output=/shared/models/mine

The same command goes on with a training that was stopped. Exit codes: 0 done, 1 a step failed or too few pairs can be
used, 2 bad usage or config.
"""

import sys

from dt2it_ray.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
