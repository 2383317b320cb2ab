"""Turns are taken fairly, and the figures are of the rounds after the warm-up."""

from collections.abc import Sequence
from typing import Any

import pytest

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.paid_replies import Usage
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.speed import benchmarks, vllm_loop
from dt2it_ray.speed.benchmarks import Wanted, measure
from dt2it_ray.speed.vllm_loop import _figures, _take_turns, _tokens, requests, run_vllm_loop


def test_each_goes_first_as_often_and_neither_sees_a_prompt_twice() -> None:
    seen: list[tuple[str, list[str]]] = []

    def side(name: str):
        def answer(batch: Sequence[GenerationRequest]) -> int:
            seen.append((name, [request.key for request in batch]))
            return len(batch)

        return answer

    asked = [GenerationRequest(str(number), (), (), 1) for number in range(10)]
    ours, offline = _take_turns(side("ours"), side("offline"), asked, rounds=4)
    assert [tokens for tokens, _ in ours] == [tokens for tokens, _ in offline] == [2] * 4
    assert [name for name, _ in seen[2:]] == ["ours", "offline", "offline", "ours"] * 2
    for name in ("ours", "offline"):
        assert sorted(key for who, keys in seen for key in keys if who == name) == sorted(map(str, range(10)))


def test_figures_are_of_all_rounds_together() -> None:
    figures = _figures([(100, 1.0), (300, 1.0)], [(100, 0.5), (300, 1.5)])
    assert (figures["tokens_per_s"], figures["offline_tokens_per_s"], figures["ratio"]) == (200, 200, 1)
    assert figures["ratios"] == [0.5, 1.5]


def test_too_few_prompts_are_refused_before_an_engine_starts() -> None:
    with pytest.raises(ConfigError, match="2 prompts are too few for a warm-up and 2 rounds: --rows 3"):
        run_vllm_loop("/nowhere", requests(2, 1, False), SamplingSettings(), rounds=2)


def test_every_prompt_has_an_image_of_its_own_or_none() -> None:
    texts, pictures = requests(6, 4, False), requests(6, 2, True)
    assert {(request.images, request.samples) for request in texts} == {((), 4)}
    assert {len(request.messages[0]["content"]) for request in texts} == {1}
    assert len({request.messages[0]["content"][0]["text"] for request in texts}) == 6
    assert len({request.images for request in pictures}) == 6
    assert all(len(request.images) == 1 and request.samples == 2 for request in pictures)
    assert {part["type"] for request in pictures for part in request.messages[0]["content"]} == {"image", "text"}


def test_a_prompt_without_an_answer_ends_the_measurement() -> None:
    class Refuses:
        usage = Usage()

        def generate(self, batch: Sequence[GenerationRequest]) -> list[Dropped]:
            return [Dropped(DropReason.REQUEST_REFUSED, "no images") for _ in batch]

    refuses: Any = Refuses()
    with pytest.raises(StageFailed, match="request_refused: no images"):
        _tokens(refuses, requests(1, 1, False))


def test_what_a_person_asks_for_reaches_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def loop(folder: str, asked: Sequence[GenerationRequest], sampling: SamplingSettings) -> tuple[object, ...]:
        return folder, len(asked), len(asked[0].images), asked[0].samples, sampling.max_new_tokens

    monkeypatch.setattr(vllm_loop, "run_vllm_loop", loop)
    monkeypatch.setattr(benchmarks.importlib.util, "find_spec", lambda name: object())
    asked = Wanted(rows=7, model="/m", images=True, samples=2, tokens=16)
    assert measure("construct", "vllm_loop", asked)["vllm_loop"] == ("/m", 7, 1, 2, 16)
    assert measure("construct", "vllm_loop", Wanted(model="/m"))["vllm_loop"] == ("/m", 40, 0, 4, 32)
    assert "needs vLLM and --model" in measure("construct", "vllm_loop")["vllm_loop"]
