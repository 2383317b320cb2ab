"""How fast our vLLM engine answers, beside vLLM's own offline loop on the same prompts."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.vllm.generator import VllmGenerator
from dt2it_ray.models.vllm.offline import OfflineLoop
from dt2it_ray.models.vllm.settings import VllmSettings
from dt2it_ray.speed.stand_in import questions

BESIDE = VllmSettings(gpu_memory_utilization=0.4)
"""Two engines share the device."""
Turn = tuple[int, float]
"""Tokens of all answers, and the seconds that they took."""


def requests(number: int, samples: int, with_images: bool) -> list[GenerationRequest]:
    """So many prompts: texts of 20 words, or questions about a rendered scene each."""
    if not with_images:
        asked = [(text, ()) for text in questions(number)]
    else:
        rows = [distill_row(str(place), "speed", 0, place) for place in range(number)]
        asked = [(row["question"], (row["images"][0]["bytes"],)) for row in rows]
    return [
        GenerationRequest(str(place), (user_turn(text, len(images)),), images, samples)
        for place, (text, images) in enumerate(asked)
    ]


def run_vllm_loop(
    model_folder: str,
    asked: Sequence[GenerationRequest],
    sampling: SamplingSettings,
    *,
    rounds: int = 4,
    settings: VllmSettings = BESIDE,
) -> dict[str, Any]:
    """Figures of both, with `ratio` of the tokens per second: ours to vLLM's. The prompts are dealt to a warm-up and
    the rounds, in which either goes first by turns; so neither engine sees one twice. Needs a main guard in its script.

    Raises:
        ConfigError: the folder is no checkpoint, or there are fewer prompts than rounds and a warm-up take.
        StageFailed: an engine cannot run the checkpoint, or a prompt was not answered.
    """
    if len(asked) <= rounds:
        raise ConfigError(f"{len(asked)} prompts are too few for a warm-up and {rounds} rounds: --rows {rounds + 1}")
    backbone = find_backbone(model_folder)
    ours, offline = VllmGenerator(backbone, settings, sampling), OfflineLoop(backbone.path, settings, sampling)
    try:
        turns = _take_turns(lambda batch: _tokens(ours, batch), offline.answer, asked, rounds)
    finally:
        ours.close()
        offline.close()
    told = {"prompts": len(asked), "images": sum(len(request.images) for request in asked), "rounds": rounds}
    return {**told, "samples": asked[0].samples, "most_tokens": sampling.max_new_tokens, **_figures(*turns)}


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
        _tell_round(number, rounds, *(turns[-1] for turns in told))
    return told[0][1:], told[1][1:]


def _tokens(generator: VllmGenerator, batch: Sequence[GenerationRequest]) -> int:
    before = generator.usage.output_tokens
    refused = next((answer for answer in generator.generate(batch) if isinstance(answer, Dropped)), None)
    if refused is not None:
        raise StageFailed(f"a prompt was not answered ({refused.reason}: {refused.detail}): take another checkpoint")
    return generator.usage.output_tokens - before


def _tell_round(number: int, rounds: int, ours: Turn, offline: Turn) -> None:
    name = f"round {number} of {rounds}" if number else "warm-up"
    rates = " and ".join(f"{tokens:,} tokens in {took:.1f} s" for tokens, took in (ours, offline))
    print(f"vllm_loop: {name}: ours and vLLM's {rates}", file=sys.stderr, flush=True)


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
