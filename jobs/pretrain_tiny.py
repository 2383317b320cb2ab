"""Make the tiny Qwen3-VL of the package anew: teach it, save it, examine it, write its card.

python jobs/pretrain_tiny.py OUTPUT [--device cuda] [--loaders 8] [key=value...]

The same command goes on with a training that was stopped.
"""

import argparse
import sys
from pathlib import Path

import torch

from dt2it_ray.errors import Dt2itError
from dt2it_ray.models.tiny.architecture import save_tiny
from dt2it_ray.models.tiny.exam import examine, write_card
from dt2it_ray.models.tiny.pretrain import PretrainSettings, Progress, lesson_tokenizer, pretrain
from dt2it_ray.settings import load_settings

TOLD_EVERY = 100


def main() -> int:
    """Exit code of the job: 0 done, 1 it failed, 2 bad usage or settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder for the model")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--loaders", type=int, default=1, help="processes that make lessons")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings, e.g. lessons=20000")
    try:
        make(parser.parse_args())
    except (Dt2itError, OSError) as error:
        print(f"pretrain_tiny: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    return 0


def make(given: argparse.Namespace) -> None:
    """What the command line asks for."""
    settings = load_settings(PretrainSettings, None, given.overrides)
    tokenizer = lesson_tokenizer(settings)

    def watch(done: Progress, model: torch.nn.Module) -> None:
        if done.step % TOLD_EVERY == 0:
            print(f"step {done.step}/{settings.steps()}, loss {done.loss:.3f}, {done.seconds:.0f} s", flush=True)
            save_tiny(model, tokenizer, given.output)

    given.output.mkdir(parents=True, exist_ok=True)
    state = given.output / "state.pt"
    model, done = pretrain(settings, tokenizer, given.device, given.loaders, state, watch)
    save_tiny(model, tokenizer, given.output)
    marks = examine(given.output, device=given.device)
    write_card(given.output, settings, marks, f"{done.seconds / 60:.0f} min on {given.device}")
    state.unlink(missing_ok=True)
    print((given.output / "README.md").read_text())


if __name__ == "__main__":
    sys.exit(main())
