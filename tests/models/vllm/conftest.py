"""What every process of vLLM's CPU build needs to run on a small machine without a network."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def small_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("VLLM_LOGGING_LEVEL", "ERROR")
        yield
