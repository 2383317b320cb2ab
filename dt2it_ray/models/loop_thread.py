"""How several threads have coroutines run side by side: in one event loop, which has a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from dt2it_ray.errors import StageFailed

AnswerT = TypeVar("AnswerT")


class LoopThread:
    """An event loop that runs from now until `close`."""

    def __init__(self, name: str) -> None:
        """`name` is the thread's, and that of the engine in messages."""
        self._loop = asyncio.new_event_loop()
        self._takes_work, self._lock = True, threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def is_open(self) -> bool:
        """Whether it still takes work."""
        return self._takes_work

    def start(self, work: Coroutine[Any, Any, AnswerT]) -> "Future[AnswerT]":
        """The coroutine's future; from any thread but its own.

        Raises:
            StageFailed: it has been closed.
        """
        with self._lock:
            if self._takes_work:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise StageFailed(f"the {self._thread.name} engine has been closed")

    def run(self, work: Coroutine[Any, Any, AnswerT]) -> AnswerT:
        """What the coroutine returns or raises. A caller that is interrupted cancels it.

        Raises:
            StageFailed: it has been closed.
        """
        asked = self.start(work)
        try:
            return asked.result()
        finally:
            asked.cancel()

    def close(self, last: Callable[[], Coroutine[Any, Any, None]], then: Callable[[], None] = lambda: None) -> None:
        """Take no more work, run `last`, which is to end what is under way, then call `then`, and end the loop. Closing
        again does nothing."""
        # What came after `last` would never be done, and who waits for it would wait for ever.
        with self._lock:
            was_open, self._takes_work = self._takes_work, False
        if not was_open:
            return
        try:
            asyncio.run_coroutine_threadsafe(last(), self._loop).result()
            then()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def settled() -> None:
    """Returns when all other work of the loop has come to its end, whichever."""
    await asyncio.gather(*_others(), return_exceptions=True)


async def cut_short() -> None:
    """Cancel all other work of the loop; returns when it has ended."""
    tasks = _others()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _others() -> "list[asyncio.Task[Any]]":
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
