"""What a person sees while steps run, and what a run costs: progress by step and the peak memory of all processes."""

import sys
import threading
import time
from dataclasses import dataclass
from typing import Protocol, TextIO

import psutil
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY_S = 15
SAMPLE_EVERY_S = 2.0


class Reporter(Protocol):
    """Hears of steps as they start, advance and end. Steps that run at the same time may call from their threads."""

    def start(self, step: str, rows: int, done: int) -> None: ...

    def advance(self, step: str, rows: int) -> None: ...

    def finish(self, step: str, line: str) -> None: ...


@dataclass
class _Progress:
    rows: int
    done: int
    resumed: int
    began: float
    spoke: float


class Lines:
    """Plain lines for logs: one when a step ends, and one now and then while a long one runs."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._steps: dict[str, _Progress] = {}

    def start(self, step: str, rows: int, done: int) -> None:
        """A step with `rows` rows begins, `done` of them finished by an earlier run."""
        now = time.monotonic()
        self._steps[step] = _Progress(rows, done, resumed=done, began=now, spoke=now)

    def advance(self, step: str, rows: int) -> None:
        """`rows` more rows are finished."""
        its = self._steps[step]
        its.done += rows
        now = time.monotonic()
        if now - its.spoke < LINE_EVERY_S:
            return
        its.spoke = now
        rate = (its.done - its.resumed) / (now - its.began)
        left = (its.rows - its.done) / rate if rate else float("inf")
        self._print(f"{step}: {its.done:,} of {its.rows:,} rows, {rate:,.0f} rows/s, {left:,.0f} s left")

    def finish(self, step: str, line: str) -> None:
        """The step is over; `line` says what came of it."""
        self._print(line)

    def _print(self, line: str) -> None:
        # In one call, so that lines of several threads do not mix.
        self._stream.write(f"{line}\n")
        self._stream.flush()


class Bars:
    """A bar per running step on a terminal: rows, rows/s and the time left."""

    def __init__(self, console: Console | None = None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _RateColumn())
        self._bars = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._bars.start()

    def start(self, step: str, rows: int, done: int) -> None:
        """A step with `rows` rows begins, `done` of them finished by an earlier run."""
        self._tasks[step] = self._bars.add_task(step, total=rows, completed=done)

    def advance(self, step: str, rows: int) -> None:
        """`rows` more rows are finished."""
        self._bars.advance(self._tasks[step], rows)

    def finish(self, step: str, line: str) -> None:
        """The step is over; `line` stays on the screen in place of its bar."""
        self._bars.console.print(line, highlight=False)
        if step in self._tasks:
            self._bars.remove_task(self._tasks.pop(step))

    def close(self) -> None:
        """Give the terminal back."""
        self._bars.stop()


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")


class PeakMemory:
    """Samples the memory of this process and all that it started from the beginning of the `with` block to its end.

    `peak_mib` starts at the peak of earlier calls.
    """

    def __init__(self, before_mib: float = 0.0) -> None:
        self.peak_mib = before_mib

    def __enter__(self) -> "PeakMemory":
        self._sample()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        self.peak_mib = max(self.peak_mib, tree_memory_mib())


def tree_memory_mib() -> float:
    """Memory of this process and its descendants in MiB. On Linux a page that several share is counted once among them
    (proportional set size); elsewhere once for each."""
    me = psutil.Process()
    return sum(_memory(process) for process in [me, *me.children(recursive=True)]) / 2**20


def _memory(process: psutil.Process) -> int:
    try:
        return getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss
    except psutil.Error:
        return 0
