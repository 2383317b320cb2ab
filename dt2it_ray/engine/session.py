"""How a run finds its Ray: the cluster it was submitted to, or a private one on this machine."""

import contextlib
import logging
import os
from collections.abc import Iterator

import ray

from dt2it_ray.errors import StageFailed

OBJECT_STORE_BYTES = 512 * 2**20
"""Shared memory of a private session: slices and receipts only, never a whole table."""


@contextlib.contextmanager
def ray_session() -> Iterator[None]:
    """A Ray session for the `with` block. Joins the cluster of RAY_ADDRESS if that is set, else starts a private one.

    A session that is already there is used and left running.

    Raises:
        StageFailed: the cluster cannot be reached or the private session cannot start.
    """
    if ray.is_initialized():
        yield
        return
    # Ray's remarks on starting (token authentication and the like) are not the user's business.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray").setLevel(logging.ERROR)
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECT_STORE_BYTES,
            )
    except Exception as error:  # noqa: BLE001 - a node that does not come up in time raises a bare Exception
        where = f"the cluster at RAY_ADDRESS={address}" if address else "a private Ray session"
        raise StageFailed(f"cannot use {where}: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()
