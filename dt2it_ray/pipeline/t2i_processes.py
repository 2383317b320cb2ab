"""How the shares of a text-to-image file are worked on at once."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from dt2it_ray.errors import StageFailed

Job = TypeVar("Job")
Done = TypeVar("Done")


def run_each(function: Callable[[Job], Done], jobs: Sequence[Job]) -> list[Done]:
    """What the function makes of every job, in their order: of the first one here, of each other in a process.

    Raises:
        StageFailed: a process died.
    """
    here, *others = jobs
    if not others:
        return [function(here)]
    # A small file shall not wait for these imports.
    import gc
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # What is loaded stays to the end: no collection shall look through it and so copy its pages into the workers.
    gc.freeze()
    # Forked workers start at once: nothing is imported again. No thread of this process holds a lock here.
    with ProcessPoolExecutor(len(others), mp_context=get_context("fork")) as pool:
        try:
            waiting = [pool.submit(function, job) for job in others]
            return [function(here), *(each.result() for each in waiting)]
        except BrokenProcessPool:
            raise StageFailed(
                "a process died while it converted its share of the file, most likely for want of memory; "
                "run again with --workers 1"
            ) from None
