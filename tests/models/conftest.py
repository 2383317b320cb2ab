"""The process group of trainings in this process. There is one for all tests: DeepSpeed keeps the first it meets."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def group_of_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A group of this process alone, as Ray Train sets up before the loop."""
    import torch.distributed

    store = f"file://{tmp_path_factory.mktemp('group')}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def process_group(group_of_one: None) -> Iterator[None]:
    """What a training in this process needs around it."""
    with pytest.MonkeyPatch.context() as patch:
        variables = {"DS_ACCELERATOR": "cpu", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
        for name, value in {**variables, "TORCHDYNAMO_DISABLE": "1"}.items():
            patch.setenv(name, value)
        yield
