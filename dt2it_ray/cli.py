"""The `dt2it` command: hands on what was typed, and turns failures into one message and an exit code."""

import sys
from collections.abc import Sequence

from dt2it_ray.errors import Dt2itError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `dt2it`. Exit codes: 0 done, 1 a step failed, 2 bad usage or config, 130 interrupted."""
    try:
        _run(list(sys.argv[1:] if arguments is None else arguments))
    except Dt2itError as error:
        print(f"dt2it: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("dt2it: interrupted; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as stop:
        # Typer turns Ctrl-C into this exit code and says nothing.
        if stop.code == INTERRUPTED:
            print("dt2it: interrupted; the same command goes on where this one stopped", file=sys.stderr)
        raise


def _run(typed: list[str]) -> None:
    if typed[:1] == ["t2i"]:
        # It takes half a second for most files, of which typer would be a fifth.
        from dt2it_ray.pipeline.t2i_command import run_t2i_command

        run_t2i_command(typed[1:])
        return
    from dt2it_ray.pipeline.commands import app

    app(typed)
