"""A loop's thread ends in peace: nobody waits for ever, whenever work comes."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.models.loop_thread import LoopThread, cut_short, settled

WAIT_S = 30


def test_work_that_comes_while_the_loop_closes_is_refused_and_what_is_under_way_ends() -> None:
    loop, began, closing, go_on = LoopThread("toy"), threading.Event(), threading.Event(), threading.Event()

    async def held_back() -> str:
        began.set()
        while not go_on.is_set():
            await asyncio.sleep(0.001)
        return "ended"

    async def last() -> None:
        closing.set()
        await settled()

    with ThreadPoolExecutor(2) as threads:
        asked = threads.submit(loop.run, held_back())
        assert began.wait(WAIT_S)
        closed = threads.submit(loop.close, last)
        assert closing.wait(WAIT_S)
        with pytest.raises(StageFailed, match="toy engine has been closed"):
            loop.run(asyncio.sleep(0))
        go_on.set()
        assert asked.result(timeout=WAIT_S) == "ended"
        closed.result(timeout=WAIT_S)
    assert not loop.is_open()


def test_the_loop_still_runs_while_its_engine_is_shut_down() -> None:
    loop, told = LoopThread("toy"), []

    async def tell() -> None:
        told.append("from the loop")

    def shut_down() -> None:
        asyncio.run_coroutine_threadsafe(tell(), loop._loop).result(timeout=WAIT_S)

    loop.close(cut_short, shut_down)
    assert told == ["from the loop"]
    loop.close(cut_short, shut_down)
    assert told == ["from the loop"]


def test_a_loop_ends_even_if_its_last_work_fails() -> None:
    loop = LoopThread("toy-failing")

    async def last() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.close(last)
    assert not any(thread.name == "toy-failing" for thread in threading.enumerate())
