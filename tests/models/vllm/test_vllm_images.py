"""vLLM answers about images as transformers does, in any company; what it cannot read is dropped, alone."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.scenes.prompts import draw_prompt
from dt2it_ray.data.scenes.render import render
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.model_settings import CollateSettings, SamplingSettings
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.response_cache import ResponseCache
from dt2it_ray.models.transformers_generator import TransformersGenerator
from dt2it_ray.store.files import Folder

pytest.importorskip("vllm.sampling_params")
from dt2it_ray.models.vllm.arguments import CPU_BATCH_TOKENS
from dt2it_ray.models.vllm.generator import VllmGenerator
from tests.models.vllm.checkpoints import SMALL, tiny_for_vllm

pytestmark = pytest.mark.vllm
SCENES = 8
# One engine for the module: drawn answers and likeliest ones differ by their sampling only.
DRAWN = SamplingSettings(max_new_tokens=40, collate=CollateSettings(max_length=200))
LIKELIEST = DRAWN.model_copy(update={"temperature": 0.0})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return tiny_for_vllm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def replies(tmp_path_factory: pytest.TempPathFactory) -> ResponseCache:
    return ResponseCache(Folder(str(tmp_path_factory.mktemp("replies"))))


@pytest.fixture(scope="module")
def vllm(tiny: Backbone) -> Iterator[VllmGenerator]:
    made = VllmGenerator(tiny, SMALL, DRAWN)
    yield made
    made.close()


@pytest.fixture
def likeliest(vllm: VllmGenerator, monkeypatch: pytest.MonkeyPatch) -> VllmGenerator:
    monkeypatch.setattr(vllm, "_sampling", LIKELIEST)
    return vllm


def ask(text: str, *images: bytes, key: str = "", samples: int = 1, schema: dict | None = None) -> GenerationRequest:
    return GenerationRequest(key or text, (user_turn(text, len(images)),), images, samples, schema)


def scenes(samples: int = 1) -> list[GenerationRequest]:
    asked = [draw_prompt(f"scene {number}") for number in range(SCENES)]
    return [ask(each.question.text, render(each.scene), key=str(at), samples=samples) for at, each in enumerate(asked)]


def completions(made: list[Completion] | Dropped) -> list[Completion]:
    assert isinstance(made, list), made
    return made


def texts(made: list[list[Completion] | Dropped]) -> list[list[str]]:
    return [[each.text for each in completions(one)] for one in made]


def test_the_likeliest_answers_are_those_of_transformers(tiny: Backbone, likeliest: VllmGenerator) -> None:
    two = ask("What is in the images?", scenes()[0].images[0], scenes()[1].images[0])
    asked = [*scenes(), two, ask("What is two and two?")]
    other = TransformersGenerator(tiny.path, LIKELIEST.model_copy(update={"dtype": "float32"}), threads=1)
    assert texts(likeliest.generate(asked)) == texts(other.generate(asked))


def test_draws_repeat_whatever_else_is_asked_and_from_however_many_threads(vllm: VllmGenerator) -> None:
    together = texts(vllm.generate(scenes(samples=4)))
    assert [len(answers) for answers in together] == [4] * SCENES
    assert sum(len(set(answers)) > 1 for answers in together) > SCENES / 2
    assert texts(vllm.generate(scenes(samples=4)[::-1])) == together[::-1]
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda request: vllm.generate([request])[0], scenes(samples=4)))
    assert texts(alone) == together
    assert texts(vllm.generate(scenes(samples=2))) == [answers[:2] for answers in together]


def test_more_prompts_than_a_step_can_read_are_read_in_several(vllm: VllmGenerator) -> None:
    # Together about 12,000 tokens; a step takes 4,096.
    asked = [ask(f"{number}. " + "A cat. " * 30, key=str(number)) for number in range(100)]
    assert all(answers[0] is not None for answers in texts(vllm.generate(asked)))
    assert vllm.usage.input_tokens > 2 * CPU_BATCH_TOKENS


def test_key_and_seed_change_the_draws(vllm: VllmGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, same, other = (ask("What is in the image?", *scenes()[0].images, key=key, samples=8) for key in "aab")
    drawn = texts(vllm.generate([mine, same, other]))
    assert drawn[0] == drawn[1] != drawn[2]
    monkeypatch.setattr(vllm, "_sampling", DRAWN.model_copy(update={"seed": 1}))
    assert texts(vllm.generate([mine])) != drawn[:1]


def test_an_image_is_prepared_once_for_all_that_ask_about_it(vllm: VllmGenerator) -> None:
    cache = vllm._engine._vllm.renderer.mm_processor_cache
    image = render(draw_prompt("never seen").scene)
    before = cache.make_stats()
    texts(vllm.generate([ask(f"What is there, {number}?", image) for number in range(5)]))
    after = cache.make_stats()
    assert (after.total - before.total, after.hits - before.hits) == (5, 4)


def test_what_cannot_be_read_is_dropped_and_all_else_answered(likeliest: VllmGenerator) -> None:
    good = scenes()[0]
    thin = io.BytesIO()
    Image.new("RGB", (4000, 4)).save(thin, "PNG")
    refused = [
        (ask("What?", b"no image"), DropReason.IMAGE_UNDECODABLE),
        (ask("What?", good.images[0][:300]), DropReason.IMAGE_UNDECODABLE),
        (ask("What?", thin.getvalue()), DropReason.IMAGE_UNDECODABLE),
        (ask("What?", *good.images * 3), DropReason.REQUEST_REFUSED),
        (ask("A cat. " * 100, *good.images), DropReason.PROMPT_TOO_LONG),
        (ask("A cat. " * 5000), DropReason.PROMPT_TOO_LONG),
        (ask("What? <|image_pad|>"), DropReason.FIELD_INVALID),
        (GenerationRequest("more", (user_turn("What?", 2),), good.images, 1), DropReason.IMAGE_MISSING),
    ]
    made = likeliest.generate([*(request for request, _ in refused), good])
    assert [one.reason for one in made if isinstance(one, Dropped)] == [reason for _, reason in refused]
    assert all(one.detail and " at 0x" not in one.detail for one in made[2:] if isinstance(one, Dropped))
    assert texts(made[-1:]) == texts(likeliest.generate([good]))


def test_a_schema_holds_even_a_model_that_never_saw_json(vllm: VllmGenerator) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [3, 5]}}, "required": ["n"], "additionalProperties": False}
    made = vllm.generate([ask("How many?", *scenes()[0].images, samples=4, schema=schema)])
    assert {json.loads(text)["n"] for text in texts(made)[0]} <= {3, 5}


def test_answers_say_why_they_ended_and_what_they_took(
    likeliest: VllmGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = likeliest.usage.input_tokens, likeliest.usage.output_tokens, likeliest.usage.replies
    asked = [ask("描述这张图。", *scenes()[0].images)]
    whole = completions(likeliest.generate(asked)[0])[0]
    assert whole.finish_reason == "stop"
    assert whole.tokens > 2
    monkeypatch.setattr(likeliest, "_sampling", LIKELIEST.model_copy(update={"max_new_tokens": 2}))
    cut = completions(likeliest.generate(asked)[0])[0]
    assert (cut.finish_reason, cut.tokens) == ("length", 2)
    assert whole.text.startswith(cut.text)
    # The same prompt twice: 9 places of the image, and the rest is text.
    input_tokens = likeliest.usage.input_tokens - used[0]
    assert input_tokens % 2 == 0
    assert 9 < input_tokens / 2 < 80
    assert (likeliest.usage.output_tokens - used[1], likeliest.usage.replies - used[2]) == (whole.tokens + 2, 2)


def test_kept_replies_cost_the_engine_nothing(
    vllm: VllmGenerator, replies: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm._replies, "_cache", replies)
    first = vllm.generate(scenes(samples=2))
    before = vllm.usage.hits, vllm.usage.output_tokens
    assert vllm.generate(scenes(samples=2)) == first
    assert (vllm.usage.hits - before[0], vllm.usage.output_tokens) == (2 * SCENES, before[1])
    more = vllm.generate(scenes(samples=4))
    assert [one[:2] for one in texts(more)] == texts(first)
    assert vllm.usage.hits - before[0] == 4 * SCENES
    monkeypatch.setattr(vllm._replies, "_cache", None)
    assert texts(vllm.generate(scenes(samples=4))) == texts(more)


def test_equal_words_under_another_key_are_another_draw(tmp_path: Path, vllm: VllmGenerator) -> None:
    one, other = (ask("What is in the image?", *scenes()[0].images, key=key, samples=6) for key in "ab")
    plain = texts(vllm.generate([one, other]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm._replies, "_cache", ResponseCache(Folder(str(tmp_path))))
        assert texts(vllm.generate([one, other])) == plain
        assert texts(vllm.generate([other, one])) == plain[::-1]


def test_the_likeliest_answer_is_asked_once_for_all_keys(tmp_path: Path, likeliest: VllmGenerator) -> None:
    one, other = (ask("What is in the image?", *scenes()[0].images, key=key) for key in "ab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likeliest._replies, "_cache", ResponseCache(Folder(str(tmp_path))))
        first = likeliest.generate([one])
        hits = likeliest.usage.hits
        assert likeliest.generate([other]) == first
    assert likeliest.usage.hits == hits + 1
