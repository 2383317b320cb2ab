"""How a run finds its Ray: the cluster it was submitted to, or a private one on this machine."""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping

import ray

from dt2it_ray.errors import ConfigError, StageFailed

OBJECT_STORE_BYTES = 512 * 2**20
"""Shared memory of a private session: slices and receipts only, never a whole table."""


@contextlib.contextmanager
def ray_session(needs: Mapping[str, Mapping[str, float]] | None = None) -> Iterator[None]:
    """A Ray session for the `with` block. Joins the cluster of RAY_ADDRESS if that is set, else starts a private one.

    A session that is already there is used and left running. `needs` says by step what a private one must have, as it
    cannot grow: Ray would wait for ever.

    Raises:
        ConfigError: this machine has less than a step needs.
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
        if not address:
            require_room(needs or {}, ray.cluster_resources())
        yield
    finally:
        ray.shutdown()


def require_room(needs: Mapping[str, Mapping[str, float]], room: Mapping[str, float]) -> None:
    """Refuse steps that would wait for ever for resources that are not there.

    Raises:
        ConfigError: a step needs more than `room` has; names the step, the resource and both amounts.
    """
    for step, least in needs.items():
        for name, amount in least.items():
            if amount > room.get(name, 0):
                raise ConfigError(
                    f"step {step} needs {amount:g} {name} and this machine has {room.get(name, 0):g}: lower workers, "
                    f"{name.lower()}s under `placement` or `training`, or set RAY_ADDRESS to a cluster that has them."
                )
