"""How several processes convert one text-to-image file: all draw, one balances, all write, one joins the parts."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from dt2it_ray.errors import StageFailed
from dt2it_ray.pipeline.t2i_passes import Counts, Draws, T2iOptions, draw_share, write_share
from dt2it_ray.pipeline.t2i_rows import Share
from dt2it_ray.pipeline.t2i_sinks import LIST_END, Container, json_sink, parquet_sink
from dt2it_ray.rules.position import DRAW_BYTES, first_half

Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class ShareToWrite:
    """What one process needs to write its share: the sides of its pairs, and where its rows and refused rows go."""

    share: Share
    options: T2iOptions
    preferred: bytes
    tied: bytes
    output: str
    dropped: str
    container: Container
    number: int
    starts: bool
    """Whether no share before this one has rows to write."""


def convert_shares(
    shares: Sequence[Share], output: str, dropped: str, container: Container, options: T2iOptions
) -> Counts:
    """Convert the shares of a file into one output and one file of refused rows, a process for each share.

    Raises:
        StageFailed: a process died.
    """
    with _processes(len(shares)) as run:
        draws = list(run(_draw, [(share, options) for share in shares]))
        todo = _plan_writing(shares, draws, options, container, (output, dropped))
        try:
            counts = list(run(_write, todo))
            _join([each.output for each in todo], LIST_END if container == "json" else b"")
            _join([each.dropped for each in todo])
        finally:
            for each in todo[1:]:
                _remove(each.output, each.dropped)
    return _sum(counts)


@contextlib.contextmanager
def _processes(count: int) -> Iterator[Run]:
    """A `map` over several processes, or over this one if there is only one share."""
    if count == 1:
        yield map
        return
    # Forked workers start at once: nothing is imported again. No thread of this process holds a lock here.
    with ProcessPoolExecutor(count, mp_context=get_context("fork")) as pool:
        try:
            yield pool.map
        except BrokenProcessPool:
            raise StageFailed(
                "a process died while it converted its share of the file, most likely for want of memory; "
                "run again with --workers 1"
            ) from None


def _draw(job: tuple[Share, T2iOptions]) -> Draws:
    return draw_share(*job)


def _plan_writing(
    shares: Sequence[Share], draws: Sequence[Draws], options: T2iOptions, container: Container, paths: tuple[str, str]
) -> list[ShareToWrite]:
    """What is to be written of each share; the first one writes to `paths`, the others beside them."""
    preferred = _sides([each.preferred for each in draws])
    tied = _sides([each.tied for each in draws])
    before = [0, *itertools.accumulate(map(len, map(bytes.__add__, preferred, tied)))]
    return [
        ShareToWrite(
            share=share,
            options=options,
            preferred=preferred[number],
            tied=tied[number],
            output=f"{paths[0]}.{number}" if number else paths[0],
            dropped=f"{paths[1]}.{number}" if number else paths[1],
            container=container,
            number=number,
            starts=before[number] == 0,
        )
        for number, share in enumerate(shares)
    ]


def _sides(draws: Sequence[bytes | bytearray]) -> list[bytes]:
    """For the draws of each share, whether its pairs show their better image first, a byte for each."""
    first = first_half(b"".join(draws)).tobytes()
    ends = [0]
    for each in draws:
        ends.append(ends[-1] + len(each) // DRAW_BYTES)
    return [first[start:end] for start, end in itertools.pairwise(ends)]


def _write(job: ShareToWrite) -> Counts:
    if job.container == "parquet":
        opened = parquet_sink(job.output)
    else:
        opened = json_sink(job.output, job.container, job.number == 0, job.starts)
    with opened as sink, open(job.dropped, "wb") as dropped:
        return write_share(job.share, job.options, job.preferred, job.tied, sink, dropped)


def _join(paths: Sequence[str], end: bytes = b"") -> None:
    """Append the later files to the first one, then `end`."""
    with open(paths[0], "ab") as whole:
        for path in paths[1:]:
            with open(path, "rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
        whole.write(end)


def _remove(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def _sum(counts: Sequence[Counts]) -> Counts:
    total = Counts()
    for each in counts:
        total.rows += each.rows
        total.pairs += each.pairs
        total.ties += each.ties
        total.preferred_first += each.preferred_first
        for reason, rows in each.dropped.items():
            total.dropped[reason] = total.dropped.get(reason, 0) + rows
    return total
