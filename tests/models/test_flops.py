"""FLOPs counted from a model's shape are those that PyTorch counts while it runs."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dt2it_ray.models.collate import Encoded
from dt2it_ray.models.flops import Meter, StepCosts, group_work, peak_flops, step_costs
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import LoraSettings, ModelSettings
from tests.models.random_families import write_family

TOKENS = 48


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_family(tmp_path_factory.mktemp("base"), "qwen3"))


def counted(model: RewardModel) -> float:
    """What matrix products of the layers cost forward and backward, by PyTorch's counter."""
    ids = torch.randint(5, 200, (1, TOKENS))
    with FlopCounterMode(display=False) as counter:
        model.backbone(input_ids=ids, use_cache=False).last_hidden_state.sum().backward()
    return float(
        sum(
            flops
            for kind, flops in counter.get_flop_counts()["Global"].items()
            if "mm" in str(kind) and "bmm" not in str(kind)
        )
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"freeze_layers": 1}, {"lora": LoraSettings(rank=4, alpha=4, targets=("q_proj", "down_proj"))}],
    ids=["all", "frozen", "lora"],
)
def test_matrix_products_are_counted_as_pytorch_counts_them(base: str, settings: dict[str, Any]) -> None:
    model = new_reward_model(base, "float32", 0, ModelSettings(**settings))
    assert step_costs(model.backbone).token * TOKENS == pytest.approx(
        counted(model), rel=0.1 if "lora" in settings else 1e-6
    )


def encoded(*ids: int) -> Encoded:
    return Encoded("", np.array(ids), ())


def test_tokens_see_the_shared_prompt_and_their_own_answer() -> None:
    # Shared 1 2 3; own 4 5 and 6: 1 + 2 + 3 pairs in the prompt, 4 + 5 and 4 after it.
    work = group_work([[encoded(1, 2, 3, 4, 5), encoded(1, 2, 3, 6)]], torch.tensor([[1, 4, 4], [1, 2, 2]]))
    assert work == {"looks": 6.0 + 9.0 + 4.0, "patches": 20.0, "patch_looks": 16.0**2 + 4.0**2}
    assert group_work([[encoded(1, 2, 3)]], None) == {"looks": 6.0, "patches": 0.0, "patch_looks": 0.0}


def test_the_share_of_the_peak_is_told_where_the_peak_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = StepCosts(token=1e9, look=1e6, patch=1e8, patch_look=1e5)
    sums = {"tokens": 1000.0, "looks": 1000.0, "patches": 10.0, "patch_looks": 100.0}
    flops = 1e12 + 1e9 + 1e9 + 1e7
    assert costs.flops(sums) == flops
    assert Meter(costs, 0.0).figures(sums, 2.0) == {"tflops_per_s": round(flops / 2e12, 4)}
    assert Meter(costs, 2e12).figures(sums, 2.0)["mfu"] == round(flops / 4e12, 4)
    assert peak_flops("cpu", "float32") == 0.0
    assert peak_flops("cpu", "float32", 3e12) == 3e12
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    assert (peak_flops("cuda", "bfloat16"), peak_flops("cuda", "float32")) == (989e12, 67e12)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "unheard of")
    assert peak_flops("cuda", "bfloat16") == 0.0
