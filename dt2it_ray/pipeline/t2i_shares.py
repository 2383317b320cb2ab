"""How several processes convert one text-to-image file: each writes its share, one joins and balances them."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dt2it_ray.data.formats.t2i.choice import Choice
from dt2it_ray.data.formats.t2i.comparison import Pair
from dt2it_ray.pipeline.t2i_passes import Counts, Draws, T2iOptions, draw_into, known_sides, write_share
from dt2it_ray.pipeline.t2i_processes import run_each
from dt2it_ray.pipeline.t2i_rows import Share
from dt2it_ray.pipeline.t2i_sinks import Container, Places, close_list, json_sink, parquet_sink, turn_rows
from dt2it_ray.rules.position import first_half, lower_half


class ShareToWrite(NamedTuple):
    """What one process writes, and where its rows and refused rows go."""

    share: Share
    options: T2iOptions
    output: str
    dropped: str
    container: Container


class WrittenShare(NamedTuple):
    """What one process wrote: every pair on the side that its draw alone suggests."""

    counts: Counts
    draws: Draws
    places: Places
    size: int


def convert_to_parquet(share: Share, output: str, dropped: str, options: T2iOptions) -> Counts:
    """Convert a whole file in two readings: the first draws and learns whether any image is held as bytes, the second
    writes every pair on its side.
    """
    draws, held = Draws(), False

    def look(choice: Choice, pair: Pair, first: bool) -> None:
        nonlocal held
        held = held or any(not isinstance(image, str) for image in choice.images)

    with open(os.devnull, "wb") as nowhere:
        write_share(share, options, draw_into(draws, options), look, nowhere)
    preferred, tied = first_half(bytes(draws.preferred)), first_half(bytes(draws.tied))
    side = known_sides(preferred.tobytes(), tied.tobytes())
    with parquet_sink(output, held) as sink, open(dropped, "wb") as refused:
        counts = write_share(share, options, side, sink, refused)
    return _with_pairs(counts, preferred, tied, options)


def convert_to_json(
    shares: Sequence[Share], output: str, dropped: str, container: Container, options: T2iOptions
) -> Counts:
    """Convert the shares of a file into one output and one file of refused rows, a process for each share.

    The few pairs that are on the wrong side of an exact balance are turned where they stand: a row is as long in
    either order.

    Raises:
        StageFailed: a process died.
    """
    ends = ["", *(f".{number}" for number in range(1, len(shares)))]
    todo = [
        ShareToWrite(share, options, output + end, dropped + end, container)
        for share, end in zip(shares, ends, strict=True)
    ]
    try:
        written = run_each(_write_json, todo)
        _join([each.output for each in todo])
        _join([each.dropped for each in todo])
    finally:
        for each in todo[1:]:
            _remove(each.output, each.dropped)
    preferred, tied = (_balance(output, written, kind, options) for kind in ("preferred", "tied"))
    if container == "json":
        close_list(output)
    return _with_pairs(_sum([each.counts for each in written]), preferred, tied, options)


def _write_json(job: ShareToWrite) -> WrittenShare:
    draws, places = Draws(), Places()
    side = draw_into(draws, job.options)
    with json_sink(job.output, job.container, places) as sink, open(job.dropped, "wb") as dropped:
        counts = write_share(job.share, job.options, side, sink, dropped)
    return WrittenShare(counts, draws, places, os.path.getsize(job.output))


def _balance(output: str, written: Sequence[WrittenShare], kind: str, options: T2iOptions) -> np.ndarray:
    """Turn the pairs of a kind that the exact balance wants on the other side; whether each shows its better first."""
    draws = b"".join(getattr(each.draws, kind) for each in written)
    if options.swap_augment:
        # Both orders stand there: there is nothing to balance.
        return lower_half(draws)
    first = first_half(draws)
    before = itertools.accumulate((each.size for each in written), initial=0)
    begins = [np.asarray(getattr(each.places, kind)) + start for each, start in zip(written, before, strict=False)]
    wrong = np.flatnonzero(first != lower_half(draws))
    turn_rows(output, np.concatenate(begins)[wrong].tolist())
    return first


def _join(paths: Sequence[str]) -> None:
    """Append the later files to the first one."""
    with open(paths[0], "ab") as whole:
        for path in paths[1:]:
            with open(path, "rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)


def _remove(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def _with_pairs(counts: Counts, preferred: np.ndarray, tied: np.ndarray, options: T2iOptions) -> Counts:
    """The counts with those of the pairs; `preferred` says which pairs show the preferred image first."""
    each = 1 + options.swap_augment
    counts.pairs, counts.ties = each * (len(preferred) + len(tied)), each * len(tied)
    counts.preferred_first = len(preferred) if options.swap_augment else int(preferred.sum())
    return counts


def _sum(counts: Sequence[Counts]) -> Counts:
    total = Counts()
    for each in counts:
        total.rows += each.rows
        for reason, rows in each.dropped.items():
            total.dropped[reason] = total.dropped.get(reason, 0) + rows
    return total
