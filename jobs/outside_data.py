"""Write a public data set of others as rows that the loop can read, to try it on data that nobody here made.

    python jobs/outside_data.py easy_vqa --output data/easy_vqa
    python jobs/outside_data.py nlvr --input FOLDER --output data/nlvr

`easy_vqa` takes the files of the installed PyPI package; `nlvr` those of a folder with dev.json and dev_images.tar.
Then: python jobs/iterate.py --config jobs/configs/easy_vqa.yaml. Exit codes: 0 done, 1 a file is not as released, 2 bad
usage.
"""

import argparse
import sys
from pathlib import Path

from dt2it_ray.errors import Dt2itError
from dt2it_ray.pipeline.examples.easy_vqa import write_easy_vqa
from dt2it_ray.pipeline.examples.nlvr import write_nlvr


def main() -> int:
    """Exit code of the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("easy_vqa", "nlvr"))
    parser.add_argument("--input", type=Path, help="folder of the released files of nlvr")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    given = parser.parse_args()
    if given.data == "nlvr" and given.input is None:
        parser.error("nlvr needs --input FOLDER")
    try:
        written = write_easy_vqa(given.output) if given.data == "easy_vqa" else write_nlvr(given.input, given.output)
    except Dt2itError as error:
        print(f"outside_data: {error}", file=sys.stderr)
        return error.exit_code
    print(", ".join(f"{rows:,} rows in {given.output / name}" for name, rows in written.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
