"""What the workers of a training hear about their end, and what they do about it together at the boundary of a step."""

import time
from enum import Enum

from dt2it_ray.models.train_figures import over_workers
from dt2it_ray.models.train_job import Session

ASK_EVERY_S = 5.0
"""How often the cluster is asked; Ray looks for machines that are about to go as often."""


class Notice(Enum):
    """What is to be done at the boundary of a step."""

    GO_ON = "go on"
    SAVE = "save"
    """A machine is about to go: save, and use what time is left."""
    LEAVE = "leave"
    """A worker was told to end: save, and end all of them."""


class Notices:
    """Reads notices; all workers read them after the same steps."""

    def __init__(self, session: Session) -> None:
        self._session, self._asked_at, self._warned = session, time.monotonic(), False

    def read(self) -> Notice:
        """The same on all workers. `SAVE` comes once."""
        now = time.monotonic()
        # Workers wait for each other where the cluster is asked, so that one of them says when.
        due = self._session.rank == 0 and now - self._asked_at >= ASK_EVERY_S
        told = over_workers({"leaving": float(self._session.leaving()), "due": float(due)})
        if told["leaving"]:
            return Notice.LEAVE
        if not told["due"] or self._warned:
            return Notice.GO_ON
        self._asked_at, self._warned = now, self._session.warned()
        return Notice.SAVE if self._warned else Notice.GO_ON
