"""Turn text-to-image preferences into two-image pairs with exactly balanced positions.

    python jobs/t2i.py --input t2i.jsonl --output out.json [--to llama_factory] [--seed 42]

Exit codes: 0 done, 1 the conversion failed, 2 bad usage.
"""

import sys

from dt2it_ray.cli import main

if __name__ == "__main__":
    main(["t2i", *sys.argv[1:]])
