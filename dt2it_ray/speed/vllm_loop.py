"""How fast our vLLM engine answers, beside vLLM's own offline loop on the same prompts."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from dt2it_ray.data.chat import user_turn
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.vllm.generator import VllmGenerator
from dt2it_ray.models.vllm.offline import OfflineLoop
from dt2it_ray.models.vllm.settings import VllmSettings

BESIDE = VllmSettings(gpu_memory_utilization=0.4)
"""Two engines share the device."""
Turn = tuple[int, float]
"""Tokens of all answers, and the seconds that they took."""


def run_vllm_loop(
    model_folder: str,
    prompts: Sequence[str],
    *,
    samples: int = 4,
    rounds: int = 4,
    settings: VllmSettings = BESIDE,
    sampling: SamplingSettings | None = None,
) -> dict[str, Any]:
    """Figures of both, with `ratio` of the tokens per second: ours to vLLM's. The prompts are dealt to a warm-up and
    the rounds, in which either goes first by turns; so neither engine sees one twice. Needs a main guard in its script.

    Raises:
        ConfigError: the folder is no checkpoint. ValueError: there are fewer prompts than rounds and a warm-up take.
    """
    if len(prompts) <= rounds:
        raise ValueError(f"{len(prompts)} prompts are too few for a warm-up and {rounds} rounds")
    sampling = sampling or SamplingSettings()
    backbone = find_backbone(model_folder)
    asked = [GenerationRequest(str(at), (user_turn(text, 0),), (), samples) for at, text in enumerate(prompts)]
    ours, offline = VllmGenerator(backbone, settings, sampling), OfflineLoop(backbone.path, settings, sampling)
    try:
        turns = _take_turns(lambda batch: _tokens(ours, batch), offline.answer, asked, rounds)
    finally:
        ours.close()
        offline.close()
    return {"prompts": len(prompts), "samples": samples, "rounds": rounds, **_figures(*turns)}


def _take_turns(
    ours: Callable[[Sequence[GenerationRequest]], int],
    offline: Callable[[Sequence[GenerationRequest]], int],
    asked: Sequence[GenerationRequest],
    rounds: int,
) -> tuple[list[Turn], list[Turn]]:
    told: tuple[list[Turn], list[Turn]] = ([], [])
    for number in range(rounds + 1):
        for side in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            tokens = (ours, offline)[side](asked[number :: rounds + 1])
            told[side].append((tokens, time.perf_counter() - began))
    return told[0][1:], told[1][1:]


def _tokens(generator: VllmGenerator, batch: Sequence[GenerationRequest]) -> int:
    before = generator.usage.output_tokens
    generator.generate(batch)
    return generator.usage.output_tokens - before


def _figures(ours: Sequence[Turn], offline: Sequence[Turn]) -> dict[str, Any]:
    mine, theirs = (sum(tokens for tokens, _ in side) / sum(took for _, took in side) for side in (ours, offline))
    pairs = zip(ours, offline, strict=True)
    return {
        "tokens": sum(tokens for tokens, _ in ours),
        "offline_tokens": sum(tokens for tokens, _ in offline),
        "tokens_per_s": mine,
        "offline_tokens_per_s": theirs,
        "ratio": mine / theirs,
        "ratios": [(mine[0] / mine[1]) / (theirs[0] / theirs[1]) for mine, theirs in pairs],
    }
