"""How a training goes on from a checkpoint of another number of workers: ZeRO's shards are put together and cut anew.

Read one weight at a time from files that are mapped, not loaded, so that no worker holds the whole state.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from dt2it_ray.errors import StageFailed

MOMENTS = ("exp_avg", "exp_avg_sq")
WEIGHT = ""
"""Stands for the weight itself beside its `MOMENTS`."""


class _Shards(Protocol):
    step: torch.Tensor
    """How many updates the moments come from."""

    def pieces(self, name: str, key: str) -> list[torch.Tensor]:
        """What the workers had of a weight or of one of its moments, in order; together at least its numbers."""
        ...


def is_whole(engine: Any) -> bool:
    """Whether each worker holds the whole optimizer, so that checkpoints fit any number of them."""
    return isinstance(engine.optimizer, torch.optim.Optimizer)


def take_over(engine: Any, folder: Path, workers: int) -> Mapping[str, Any]:
    """Weights, moments and buffers from the checkpoint of so many workers; returns the state that was saved with it.

    Raises:
        StageFailed: the optimizer was split, but not by ZeRO 1, 2 or 3.
    """
    stage = engine.zero_optimization_stage()
    if stage == 0:
        raise StageFailed(
            f"it was begun with {workers} workers, and in bfloat16 without ZeRO (train.zero_stage=0) it needs as many: "
            f"set training.workers={workers} again, or delete the checkpoints to start from the first step"
        )
    first = _model_file(folder, 0, stage)
    saved = _open(first)
    shards = _Split(folder, workers, saved["param_shapes"]) if stage == 3 else _Flat(folder, workers)
    _start_moments(engine.optimizer, shards.step, stage)
    with torch.no_grad():
        for name, weight in _trained(engine.module):
            size = weight.ds_numel if stage == 3 else weight.numel()
            for key in (WEIGHT, *MOMENTS):
                whole = torch.cat([piece.flatten() for piece in shards.pieces(name, key)])[:size]
                (_put_split if stage == 3 else _put_flat)(weight, whole, key)
        for name, buffer in engine.module.named_buffers():
            if name in saved["module"]:
                buffer.copy_(saved["module"][name])
    return saved


class _Flat:
    """Shards of ZeRO 1 and 2: each group of weights is one row of numbers, cut where it may be."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._shards = [_open(_optimizer_file(folder, rank))["optimizer_state_dict"] for rank in range(workers)]
        self.step = self._shards[0]["base_optimizer_state"]["state"][0]["step"]

    def pieces(self, name: str, key: str) -> list[torch.Tensor]:
        found = []
        for shard in self._shards:
            for group, places in enumerate(shard["param_slice_mappings"]):
                if name in places:
                    place, states = places[name], shard["base_optimizer_state"]["state"]
                    numbers = states[group][key] if key else shard["single_partition_of_fp32_groups"][group]
                    found.append(numbers.narrow(0, place.start, place.numel))
        return found


class _Split:
    """Shards of ZeRO 3: each weight is cut into as many parts as there are workers, the last one filled up."""

    def __init__(self, folder: Path, workers: int, shapes: list[Mapping[str, torch.Size]]) -> None:
        self._workers, self._places = workers, {}
        at = 0
        for group in shapes:
            for name, shape in group.items():
                length = -(-shape.numel() // workers)
                self._places[name] = (at, length)
                at += length
        self._shards = [_open(_optimizer_file(folder, rank))["optimizer_state_dict"] for rank in range(workers)]
        self.step = self._shards[0]["optimizer_state_dict"]["state"][0]["step"]

    def pieces(self, name: str, key: str) -> list[torch.Tensor]:
        return [_narrow(self._groups(shard, key), *self._places[name]) for shard in self._shards]

    def _groups(self, shard: Mapping[str, Any], key: str) -> list[torch.Tensor]:
        if key == WEIGHT:
            return shard["fp32_flat_groups"]
        states = shard["optimizer_state_dict"]["state"]
        return [states[number][key] for number in sorted(states)]


def _narrow(groups: list[torch.Tensor], start: int, length: int) -> torch.Tensor:
    """A part of some rows of numbers that are one after the other; no part is in two of them."""
    for group in groups:
        if start < group.numel():
            return group.narrow(0, start, length)
        start -= group.numel()
    raise IndexError(start)


def _start_moments(optimizer: Any, step: torch.Tensor, stage: int) -> None:
    """Moments of zero for the weights of this worker, as after `step` updates."""
    rows = optimizer.fp32_partitioned_groups_flat if stage == 3 else optimizer.single_partition_of_fp32_groups
    for row in rows:
        moments = {key: torch.zeros_like(row) for key in MOMENTS}
        optimizer.optimizer.state[row] = {"step": step.clone(), **moments}
    if stage < 3:
        optimizer._lazy_init_hp_params_optimizer_state()


def _put_flat(weight: Any, whole: torch.Tensor, key: str) -> None:
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    if key:
        safe_set_full_optimizer_state(weight, whole, key)
        return
    safe_set_full_fp32_param(weight, whole)
    weight.copy_(whole.view_as(weight))


def _put_split(weight: Any, whole: torch.Tensor, key: str) -> None:
    import torch.distributed
    from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

    own, rank = weight.ds_tensor.numel(), torch.distributed.get_rank()
    part = torch.zeros(own, dtype=whole.dtype)
    mine = whole[rank * own : (rank + 1) * own]
    part[: mine.numel()] = mine
    if key:
        safe_set_local_optimizer_state(weight, part, key)
        return
    safe_set_local_fp32_param(weight, part)
    weight.ds_tensor.data.copy_(part)


def _trained(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, weight) for name, weight in module.named_parameters() if weight.requires_grad)


def _optimizer_file(folder: Path, rank: int) -> Path:
    # DeepSpeed puts `bf16_` in front where weights are in bfloat16.
    (found,) = folder.glob(f"*zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    return found


def _model_file(folder: Path, rank: int, stage: int) -> Path:
    return folder / (f"zero_pp_rank_{rank}_" * (stage == 3) + "mp_rank_00_model_states.pt")


def _open(path: Path) -> Any:
    # Written by this training: weights beside plain values and DeepSpeed's own records.
    return torch.load(path, map_location="cpu", mmap=True, weights_only=False)
