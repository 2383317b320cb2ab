"""Read an outside data set, check every row, and drop what repeats or stands in a benchmark.

    python jobs/ingest.py --input rows.jsonl --format llama_factory --output ingested/mine [KEY=VALUE...]

Exit codes: 0 done, 1 no row can be used or a step failed, 2 bad usage.
"""

import sys

from dt2it_ray.cli import main

if __name__ == "__main__":
    main(["ingest", *sys.argv[1:]])
