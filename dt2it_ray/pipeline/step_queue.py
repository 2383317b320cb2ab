"""When each step starts: as soon as all that it reads is done, several at the same time if asked for."""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from dt2it_ray.stages.stage import MapStage, Step, TrainPlacement

Ended = queue.SimpleQueue[tuple[Step, BaseException | None]]
"""Steps that are over, with what they raised."""


def do_steps(steps: Sequence[Step], max_concurrent: int, do: Callable[[Step], None]) -> Iterator[Step]:
    """Call `do` on every step after the steps that it reads, each in a thread; yields a step when it is done.

    `steps` are in plan order and hold all that they read. Of those that could start, the one that most others wait
    for goes first. At most `max_concurrent` run at a time, of the map steps of this process one.

    Raises:
        Exception: what `do` raised first. No step starts after that; those that run come to their end before.
    """
    dependents = _count_dependents(steps)
    waiting = sorted(steps, key=lambda step: -dependents[step.name])
    done: set[str] = set()
    running: dict[str, Step] = {}
    ended: Ended = queue.SimpleQueue()
    failure: BaseException | None = None
    while running or (waiting and not failure):
        while not failure and len(running) < max_concurrent and (step := _next(waiting, done, running)):
            waiting.remove(step)
            running[step.name] = step
            # A daemon, so that an interrupted driver ends at once: what is not sealed is made again.
            threading.Thread(target=_call, args=(do, step, ended), daemon=True).start()
        step, error = ended.get()
        del running[step.name]
        if error:
            failure = failure or error
            continue
        done.add(step.name)
        yield step
    if failure:
        raise failure


def needs_ray(step: Step) -> bool:
    """Whether the step runs on Ray, and not in this process."""
    if isinstance(step.placement, TrainPlacement):
        return True
    return isinstance(step.stage, MapStage) and step.placement.engine == "ray"


def _call(do: Callable[[Step], None], step: Step, ended: Ended) -> None:
    try:
        do(step)
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
        ended.put((step, error))
    else:
        ended.put((step, None))


def _next(waiting: Sequence[Step], done: set[str], running: dict[str, Step]) -> Step | None:
    """The first step that can start."""
    busy = any(_maps_here(step) for step in running.values())
    for step in waiting:
        if all(source.name in done for source in step.inputs.values()) and not (busy and _maps_here(step)):
            return step
    return None


def _maps_here(step: Step) -> bool:
    """Whether the step's model and threads would be those of this process."""
    return isinstance(step.stage, MapStage) and not needs_ray(step)


def _count_dependents(steps: Sequence[Step]) -> Counter[str]:
    """How many steps wait for each one, directly or through others."""
    waits_for: dict[str, set[str]] = {}
    for step in steps:
        sources = [source.name for source in step.inputs.values()]
        waits_for[step.name] = set(sources).union(*(waits_for[source] for source in sources))
    return Counter(source for sources in waits_for.values() for source in sources)
