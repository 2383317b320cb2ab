"""A real language model behind the vLLM engine: candidates, and judgements held to the rubric's form."""

import json
from collections.abc import Iterator

import pytest

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest, JudgeRequest
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.judge_reply import Reply, parse_reply

pytest.importorskip("vllm.sampling_params")
from dt2it_ray.models.vllm.generator import VllmGenerator
from dt2it_ray.models.vllm.offline import OfflineLoop
from tests.models.vllm.checkpoints import SMALL, smollm2

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return smollm2(tmp_path_factory.mktemp("models") / "smollm2")


@pytest.fixture(scope="module")
def vllm(folder: Backbone) -> Iterator[VllmGenerator]:
    made = VllmGenerator(folder, SMALL, SamplingSettings(temperature=0.7, max_new_tokens=600))
    yield made
    made.close()


def test_candidates_are_sensible_and_differ(vllm: VllmGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "_sampling", SamplingSettings(temperature=0.7, max_new_tokens=24))
    question = "What is the capital of France? Answer with one sentence."
    [answers] = vllm.generate([GenerationRequest("a", (user_turn(question, 0),), (), 8)])
    assert isinstance(answers, list)
    assert len({answer.text for answer in answers}) > 1
    assert sum("Paris" in answer.text for answer in answers) >= 2


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
    for reply in whole:
        read = parse_reply(reply, len(answers))
        # Arithmetic is the one thing that no schema holds a small model to.
        assert isinstance(read, Reply) or read.faults == (Fault.WEIGHTS_SUM,)
        form = json.loads(reply)
        mended = json.dumps(form | {"weights": dict.fromkeys(form["weights"], 1 / len(form["weights"]))})
        assert isinstance(parse_reply(mended, len(answers)), Reply)


def test_vllms_own_loop_draws_the_same(vllm: VllmGenerator, monkeypatch: pytest.MonkeyPatch, folder: Backbone) -> None:
    short = SamplingSettings(max_new_tokens=16)
    monkeypatch.setattr(vllm, "_sampling", short)
    asked = [GenerationRequest(str(at), (user_turn(f"Name {at} things.", 0),), (), 2) for at in range(6)]
    made = vllm.generate(asked)
    offline = OfflineLoop(folder.path, SMALL, short)
    try:
        assert offline.answer(asked) == sum(answer.tokens for one in made if isinstance(one, list) for answer in one)
    finally:
        offline.close()
