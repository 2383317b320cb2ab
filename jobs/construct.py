"""Construct debiased pairs for the questions of a file, or for those of existing pairs.

    python jobs/construct.py --input prompts.jsonl --output pairs.json --config jobs/configs/construct.yaml
    ray job submit --working-dir . -- python jobs/construct.py --config mine.yaml root=/shared/runs

docs/construction.md tells what mine.yaml must be for a submitted job.
The same command resumes an interrupted run. Exit codes: 0 done, 1 a step failed, 2 bad usage or config.
"""

import sys

from dt2it_ray.cli import main

if __name__ == "__main__":
    main(["construct", *sys.argv[1:]])
