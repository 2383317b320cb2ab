"""How a batch function gives back the engine that it runs on, and tells what it took."""

import threading
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from dt2it_ray.stages.stage import BatchFn, Outcome


class EngineFn:
    """A `BatchFn` over engines (generators, judges), as a stage's `build` returns it: `EngineFn(function, generator)`.

    An engine may have a method `close()`, called when no more batches come, and an attribute `usage`: a dataclass of
    numbers that only grow (replies, hits, spent, saved). What they grow by is told once, as metrics of the batch that
    is done next; the usages of several engines are added up by name. Engines that have neither are passed over.

    An engine that several threads may ask at the same time has a number `calls_at_once` (2 or 3): batches of several
    slices then overlap in it, so that the tail of one batch does not leave it half idle. The least of all engines
    counts; one that has none counts as 1.
    """

    def __init__(self, function: BatchFn, *engines: object) -> None:
        self._function, self._engines = function, engines
        self.calls_at_once: int = min((getattr(engine, "calls_at_once", 1) for engine in engines), default=1)
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, batch: pa.Table) -> Outcome:
        """What the function makes of the batch, with what the engines took since the batch before."""
        outcome = self._function(batch)
        with self._lock:
            used = self._used()
            grown = {name: amount - self._told.get(name, 0) for name, amount in used.items()}
            self._told = used
        return replace(outcome, metrics={**outcome.metrics, **grown})

    def close(self) -> None:
        """Close every engine that can be closed, even if one of them fails; the first failure is raised at the end."""
        failures = []
        for engine in self._engines:
            try:
                getattr(engine, "close", _nothing)()
            except Exception as error:  # noqa: BLE001 - the other engines hold GPUs too
                failures.append(error)
        if failures:
            raise failures[0]

    def _used(self) -> dict[str, float]:
        used: Counter[str] = Counter()
        for engine in self._engines:
            usage: Any = getattr(engine, "usage", None)
            used.update(asdict(usage) if usage is not None else {})
        return dict(used)


def _nothing() -> None:
    pass
