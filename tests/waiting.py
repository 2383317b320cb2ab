"""How tests wait for what other processes do."""

import time
from collections.abc import Callable

WAIT_S = 60


def until(true: Callable[[], object], wait_s: float = WAIT_S) -> bool:
    """Whether a function gave true in time."""
    end = time.monotonic() + wait_s
    while not (came := true()) and time.monotonic() < end:
        time.sleep(0.05)
    return bool(came)
