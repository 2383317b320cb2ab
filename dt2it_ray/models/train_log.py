"""What a training leaves to read: one line of JSON per step, the pairs that could not be used, and a summary."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.train_boards import Board
from dt2it_ray.store.files import Folder

TRAINING_LOG = "train.jsonl"
SUMMARY = "summary.json"
EVALUATED = "eval_"
"""How the figures of held-out pairs begin, in lines of steps after which they were measured."""
SUMMED_UP = ("loss", "accuracy", "margin", "token_accuracy")
"""Which figures of steps the summary has, where a training has them: only reward models have margins, only language
models tell tokens."""
LAST_STEPS = 0.1
"""Share of the steps, the last ones, over which the summary averages."""


class TrainLog:
    """Worker 0 writes the steps, every worker its own refused pairs. Lines after the step resumed from are replaced."""

    def __init__(self, folder: str, rank: int, first_step: int, boards: Sequence[Board] = ()) -> None:
        """`boards` hear the figures of steps too."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._steps = Path(folder, TRAINING_LOG) if rank == 0 else None
        self._refused = Path(folder, f"dropped-{rank}.jsonl")
        self.last: dict[str, Any] = {}
        for path in filter(None, (self._steps, self._refused)):
            _keep_before(path, first_step)
        self._boards = boards

    def write(self, step: int, metrics: Mapping[str, Any], refused: Sequence[tuple[str, Dropped]]) -> None:
        """Record a step and the pairs (by id) that it could not use."""
        self.last = {"step": step, **metrics}
        if self._steps is not None:
            _append(self._steps, [self.last])
        _append(self._refused, [{"step": step, **dropped.row(pair_id)} for pair_id, dropped in refused])
        numbers = {name: figure for name, figure in metrics.items() if isinstance(figure, int | float)}
        for board in self._boards:
            board.write(step, numbers)

    def close(self) -> None:
        """Let the boards write what they still have in memory. The log itself has nothing there."""
        for board in self._boards:
            board.close()


def read_training_log(folder: str) -> list[dict[str, Any]]:
    """The steps of a training, in order; empty if it has not begun. A line that is being written is left out."""
    path = Path(folder, TRAINING_LOG)
    return [json.loads(line) for line in _whole_lines(path)] if path.exists() else []


def write_summary(folder: str, model_step: int = -1) -> None:
    """Write `SUMMARY`: steps, refused pairs, speed, mean loss, accuracy and margin over the pairs of the last steps,
    and the figures of held-out pairs after `model_step`, the step whose model is the finished one."""
    steps = read_training_log(folder)
    # A step of which every pair was refused says nothing.
    telling = [step for step in steps if step["pairs"]] or steps
    last = telling[-max(1, round(len(telling) * LAST_STEPS)) :]
    used = sum(step["pairs"] for step in steps)
    seconds = sum(step["pairs"] / step["pairs_per_s"] for step in steps if step["pairs_per_s"])
    figures = {
        "steps": len(steps),
        "pairs_refused": len(read_refused_pairs(folder)),
        "pairs_per_s": round(used / max(seconds, 1e-9), 1),
        **{name: _mean(last, name) for name in SUMMED_UP if name in last[0]},
    }
    evaluated = {name: figure for name, figure in steps[model_step].items() if name.startswith(EVALUATED)}
    if evaluated:
        figures |= {"model_step": model_step, **evaluated}
    Folder(folder).write(SUMMARY, json.dumps(figures, indent=2).encode())


def _mean(steps: Sequence[Mapping[str, Any]], name: str) -> float:
    """Over all pairs that the steps used."""
    return sum(step[name] * step["pairs"] for step in steps) / max(1, sum(step["pairs"] for step in steps))


def read_refused_pairs(folder: str) -> list[dict[str, Any]]:
    """Rows of a `dropped` table for the pairs that no worker could use, each pair once."""
    rows = {}
    for path in sorted(Path(folder).glob("dropped-*.jsonl")):
        # A worker that was killed may leave half a line, and with fewer workers nobody goes on in its file.
        for line in _whole_lines(path):
            row = json.loads(line)
            row.pop("step")
            rows[row["key"]] = row
    return [rows[key] for key in sorted(rows)]


def _append(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    if lines:
        with path.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _keep_before(path: Path, first_step: int) -> None:
    if not path.exists():
        return
    kept = [line for line in _whole_lines(path) if json.loads(line)["step"] < first_step]
    Folder(str(path.parent)).write(path.name, b"".join(line + b"\n" for line in kept))


def _whole_lines(path: Path) -> list[bytes]:
    """Without their line ends, and without a last one that has none: it is being written, or never was to its end."""
    return path.read_bytes().split(b"\n")[:-1]
