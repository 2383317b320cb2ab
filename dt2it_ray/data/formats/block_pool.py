"""How the blocks of a data set are worked on by several processes at once, while results come in file order."""

import collections
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from dt2it_ray.data.formats.containers.block import Block
from dt2it_ray.data.formats.records import read_blocks
from dt2it_ray.data.formats.sources import Source
from dt2it_ray.errors import InputError

Done = TypeVar("Done")
BLOCKS_PER_WORKER = 3
"""Blocks under way for each process: one at work, one that waits for it, one done that waits for its turn."""


def map_blocks(function: Callable[[Block], Done], source: Source, workers: int) -> Iterator[Done]:
    """What the function makes of every block, in the order of the files. No more than BLOCKS_PER_WORKER blocks for each
    worker are in memory. Without workers everything happens in this process.

    `function` is one that a new process can import. Its exceptions come out here.

    Raises:
        InputError: a file cannot be read, or a process died.
    """
    blocks = (block for name in source.names for block in read_blocks(source.folder, name))
    if workers < 1:
        yield from map(function, blocks)
        return
    # Libraries of this process have threads, which a forked process would not; so a new one is started.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)
    under_way: collections.deque[Future[Done]] = collections.deque()
    try:
        for block in blocks:
            under_way.append(pool.submit(function, block))
            if len(under_way) == BLOCKS_PER_WORKER * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool:
        raise InputError(
            f"a process died while it read {source.folder.path('')}, most likely for want of memory; use fewer workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for its next block for ever: it holds both ends of the queue."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
