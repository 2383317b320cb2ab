"""How fast a model of true size trains and scores with random weights, and which share of the device's peak that is.

There is no optimizer step: its time hardly depends on tokens, and its states would not fit beside 8 billion weights.
"""

import random
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.collate import Encoded, Picture
from dt2it_ray.models.packing import packed_batch
from dt2it_ray.models.prefix import PrefixBatch, row_length
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import Attention, ReadoutSettings

SIZES: dict[str, dict[str, Any]] = {
    # Qwen3-VL-8B: numbers of its config.json.
    "8b": {"hidden": 4096, "inner": 12288, "layers": 36, "heads": 32, "kv": 8, "words": 151936, "turns": (24, 20, 20)}
    | {"eye": 1152, "eye_inner": 4304, "depth": 27, "deep": (8, 16, 24)},
    "tiny": {"hidden": 64, "inner": 128, "layers": 2, "heads": 4, "kv": 2, "words": 512, "turns": (4, 2, 2)}
    | {"eye": 64, "eye_inner": 128, "depth": 3, "deep": (0, 1)},
}
TOKENS_PER_PASS = {"8b": 8192, "tiny": 512}
SIDE = {"8b": 32, "tiny": 4}
"""Patches along the side of an image: 512 by 512 pixels at 8b, as images of 268,324 pixels in training."""
ROUNDS = 3
KERNELS: dict[bool, tuple[Attention, ...]] = {True: ("blocks", "flex"), False: ("blocks",)}
"""Those to compare on a GPU, and elsewhere, where `flex` is not compiled."""
MERGE, IMAGE, PATCH_VALUES = 2, 1, 3 * 2 * 16 * 16


def run_true_size(
    size: str, device: str, answers: int, trains: bool, peak_tflops: float | None = None, prompts: int = 16
) -> dict[str, Any]:
    """Groups of one image, a prompt and answers: by kernel of attention (on a GPU both, see `Attention`) groups and
    tokens a second, and model FLOPs utilisation if the device's peak is given (6 FLOPs a weight and token in training,
    2 in scoring, those of attention not counted); how many times faster `flex` is, and how far apart rewards are.

    Raises:
        ConfigError: there is no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: this machine has no GPU that torch can use; take --device cpu --size tiny")
    model = dummy_model(size, device).train(trains)
    if trains:
        model.backbone.gradient_checkpointing_enable()
    groups = _groups(size, answers, prompts)
    batches = [packed_batch(part, _encoder()) for part in _passes(groups, TOKENS_PER_PASS[size])]
    tokens = sum(row_length(group) for group in groups)
    flops = (6 if trains else 2) * _weights(model) * tokens
    told: dict[str, Any] = {"size": size, "weights": _weights(model), "device": _name(device), "answers": answers}
    for kernel in KERNELS[device == "cuda"]:
        model.attention = kernel
        try:
            seconds, memory = _measured(model, batches, device, trains)
        except ConfigError as error:
            return told | {kernel: f"not measured: {error}"}
        told[kernel] = {"prompts_per_s": round(prompts / seconds, 2), "tokens_per_s": round(tokens / seconds, 1)}
        told[kernel] |= {"gpu_gib": memory} if device == "cuda" else {}
        told[kernel] |= {"mfu": round(flops / seconds / (peak_tflops * 1e12), 4)} if peak_tflops else {}
    return told | (_compared(model, batches[0].to(device), told) if "flex" in told else {})


def _measured(model: RewardModel, batches: list[PrefixBatch], device: str, trains: bool) -> tuple[float, float]:
    """Seconds of the fastest round, so that compiling counts nothing, and the most GiB on a GPU."""
    work = _train_on if trains else _score
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = min(_timed(lambda: [work(model, batch.to(device)) for batch in batches], device) for _ in range(ROUNDS))
    return seconds, round(torch.cuda.max_memory_allocated() / 2**30, 1) if device == "cuda" else 0.0


def _compared(model: RewardModel, batch: PrefixBatch, told: dict[str, Any]) -> dict[str, float]:
    """How `flex` does beside `blocks`; rewards of one pass, which in bfloat16 differ by rounding."""
    rewards = []
    for kernel in KERNELS[True]:
        model.attention = kernel
        with torch.inference_mode():
            rewards.append(model(batch).float())
    times = told["flex"]["tokens_per_s"] / told["blocks"]["tokens_per_s"]
    apart = float((rewards[0] - rewards[1]).abs().max())
    return {"times_faster_with_flex": round(times, 2), "largest_difference_with_flex": apart}


def dummy_model(size: str, device: str) -> RewardModel:
    """A reward model on Qwen3-VL of a size, with random weights, in bfloat16 on a GPU."""
    from transformers import Qwen3VLConfig, Qwen3VLModel

    s = SIZES[size]
    width = s["hidden"] // s["heads"]
    text = {
        "vocab_size": s["words"],
        "hidden_size": s["hidden"],
        "intermediate_size": s["inner"],
        "num_hidden_layers": s["layers"],
        "num_attention_heads": s["heads"],
        "num_key_value_heads": s["kv"],
        "head_dim": width,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": list(s["turns"]),
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": s["depth"],
        "hidden_size": s["eye"],
        "intermediate_size": s["eye_inner"],
        "num_heads": 16 if size == "8b" else 4,
        "out_hidden_size": s["hidden"],
        "deepstack_visual_indexes": list(s["deep"]),
    }
    config = Qwen3VLConfig(text_config=text, vision_config=vision, image_token_id=IMAGE)
    config._attn_implementation = "sdpa"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Qwen3VLModel(config)
            return RewardModel(model).to(device)
    finally:
        torch.set_default_dtype(before)


def _encoder() -> Any:
    return SimpleNamespace(readout=ReadoutSettings(), pad_id=0, image_token_id=IMAGE, merge=MERGE)


def _groups(size: str, answers: int, prompts: int) -> list[list[Encoded]]:
    """Prompts of an image and of text, three times as many tokens as the answers on average."""
    draw, side = random.Random(0), SIDE[size]
    seen = (side // MERGE) ** 2
    made = []
    for place in range(prompts):
        words = np.random.default_rng(place)
        patches = words.standard_normal((side * side, PATCH_VALUES), dtype=np.float32)
        picture = Picture(str(place), patches, (1, side, side))
        prompt = np.concatenate([np.full(seen, IMAGE), words.integers(2, SIZES[size]["words"], 2 * seen)])
        lengths = [max(4, round(seen * draw.lognormvariate(0, 0.6))) for _ in range(answers)]
        # The first token of each answer differs, so that the prompt alone is shared.
        own = [np.concatenate([[2 + n], words.integers(2, SIZES[size]["words"], k)]) for n, k in enumerate(lengths)]
        made.append([Encoded(str(place), np.concatenate([prompt, each]), (picture,)) for each in own])
    return made


def _passes(groups: list[list[Encoded]], tokens: int) -> list[list[list[Encoded]]]:
    parts: list[list[list[Encoded]]] = [[]]
    for group in groups:
        if parts[-1] and sum(map(row_length, [*parts[-1], group])) > tokens:
            parts.append([])
        parts[-1].append(group)
    return parts


def _train_on(model: RewardModel, batch: PrefixBatch) -> None:
    rewards = model(batch).view(-1, 2)
    torch.nn.functional.softplus(rewards[:, 1] - rewards[:, 0]).sum().backward()


def _score(model: RewardModel, batch: PrefixBatch) -> None:
    with torch.inference_mode():
        model(batch)


def _timed(work: Callable[[], Any], device: str) -> float:
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _weights(model: RewardModel) -> int:
    """Weights of the text model's layers, which every token passes."""
    return sum(weight.numel() for weight in model.backbone.language_model.layers.parameters())


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"
