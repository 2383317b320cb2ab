"""How many requests of a group of models may be inside the server at once."""

import contextlib
from collections.abc import Iterator

from dt2it_ray.serving.refusal import Refusal


class Admission:
    """Counts requests from their arrival at a group of models until they leave; for one event loop."""

    # Ray 2.60's max_queued_requests counts requests that are merely being routed, so that it refuses a burst while
    # its replicas are idle. Hence a count of our own.
    def __init__(self, limit: int) -> None:
        self._limit, self._inside = limit, 0

    @contextlib.contextmanager
    def place(self, model: str) -> Iterator[None]:
        """A place for the length of the `with` block.

        Raises:
            Refusal: status 429, at once, when `limit` requests are inside.
        """
        if self._inside >= self._limit:
            detail = f"{self._limit} requests wait for {model} or are being scored, and no more may; try again later"
            raise Refusal(429, "queue_full", detail)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
