"""Turns are taken fairly, and the figures are of the rounds after the warm-up."""

from collections.abc import Sequence

import pytest

from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.speed.vllm_loop import _figures, _take_turns, run_vllm_loop


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
    with pytest.raises(ValueError, match="too few"):
        run_vllm_loop("/nowhere", ["a", "b"], rounds=2)
