"""A real language model behind the vLLM engine: candidates, judgements held to the rubric's form, and its speed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest, JudgeRequest
from dt2it_ray.rules.judge_reply import Reply, parse_reply

pytest.importorskip("vllm.sampling_params")
from dt2it_ray.models.vllm.generator import VllmGenerator
from tests.models.vllm.checkpoints import SMALL, smollm2

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return smollm2(tmp_path_factory.mktemp("models") / "smollm2")


@pytest.fixture(scope="module")
def vllm(folder: Backbone) -> Iterator[VllmGenerator]:
    made = VllmGenerator(folder, SMALL, SamplingSettings(temperature=0.7, max_new_tokens=900))
    yield made
    made.close()


def test_candidates_are_sensible_and_differ(vllm: VllmGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "_sampling", SamplingSettings(temperature=0.7, max_new_tokens=24))
    question = "What is the capital of France? Answer with one sentence."
    [answers] = vllm.generate([GenerationRequest("a", (user_turn(question, 0),), (), 4)])
    assert isinstance(answers, list)
    assert len({answer.text for answer in answers}) > 1
    assert sum("Paris" in answer.text for answer in answers) >= 3


def test_its_judgements_have_the_form_of_the_rubric(vllm: VllmGenerator) -> None:
    judge = ChatJudge("smollm2", vllm, "rubric-1")
    answers = ("Paris.", "The capital of France is Lyon, I think.")
    asked = [
        JudgeRequest(str(key), "What is the capital of France?", "", "en", (), answers, attempt=1) for key in range(4)
    ]
    replies = [reply for reply in judge.reply(asked) if not isinstance(reply, Dropped)]
    assert len(replies) == len(asked)
    whole = [reply for reply in replies if reply.endswith("}")]
    assert whole
    # That weights sum to 1 is arithmetic, which no schema holds a small model to.
    for reply in whole:
        read = parse_reply(reply, len(answers), weight_tolerance=9)
        assert isinstance(read, Reply), (read, reply)


def test_it_is_measured_beside_vllms_own_loop(tmp_path: Path, folder: Backbone) -> None:
    from dt2it_ray.speed.vllm_loop import run_vllm_loop

    prompts = [f"Name {number} things." for number in range(6)]
    sampling = SamplingSettings(max_new_tokens=8)
    figures = run_vllm_loop(folder.path, prompts, samples=2, rounds=2, settings=SMALL, sampling=sampling)
    # Both draw with the same seeds.
    assert figures["tokens"] == figures["offline_tokens"] > 0
    assert figures["ratio"] > 0
    assert len(figures["ratios"]) == 2
