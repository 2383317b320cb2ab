"""Serve every reward model of a run until interrupted: `python jobs/serve.py RUN [--config FILE] [port=8001 ...]`."""

import argparse
import sys

from dt2it_ray.errors import Dt2itError
from dt2it_ray.pipeline.serve_run import serve_run
from dt2it_ray.store.files import Folder


def main() -> int:
    """Exit code of the job: 0 stopped on request, 1 the server failed, 2 bad usage or config."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run's folder, e.g. runs/demo")
    parser.add_argument("--config", help="YAML file of ServeSettings; without it all defaults")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings that replace the file's")
    typed = parser.parse_args()
    try:
        serve_run(Folder(typed.run), typed.config, typed.overrides)
    except Dt2itError as error:
        print(f"serve: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
