"""Run the whole loop: construct pairs, train, vote, curate, retrain, evaluate.

    python jobs/iterate.py --config jobs/configs/tiny.yaml iterations=2 curate.flip.share=0.5
    ray job submit --working-dir . -- python jobs/iterate.py --config jobs/configs/tiny.yaml root=/shared/runs

The same command resumes an interrupted run. Exit codes: 0 done, 1 a step failed, 2 bad usage or config.
"""

import sys

from dt2it_ray.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
