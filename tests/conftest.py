"""One 2-CPU Ray session for all tests that need one, private to this run."""

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Examples are judged by what they show, not by how fast a busy machine draws them.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def ray_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A local Ray session with 2 CPUs, no token authentication and a HOME of its own."""
    import ray

    before = {name: os.environ.get(name) for name in ("HOME", "RAY_AUTH_MODE")}
    os.environ["HOME"] = str(tmp_path_factory.mktemp("home"))
    os.environ["RAY_AUTH_MODE"] = "disabled"
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.WARNING,
        object_store_memory=256 * 2**20,
    )
    yield
    ray.shutdown()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
