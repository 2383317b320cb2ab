"""A sampled answer depends on the seed, the request's key and the sample's index only."""

from pathlib import Path

import pytest

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StoreError
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.transformers_generator import TransformersGenerator
from tests.models.random_model import picture, write_random_model


def ask(key: str, question: str, *images: bytes, samples: int = 3) -> GenerationRequest:
    return GenerationRequest(key, (user_turn(question, len(images)),), images, samples)


REQUESTS = [
    ask("a", "How many red circles are in the image?", picture(1)),
    ask("b", "How many?", picture(2)),
    ask("c", "What is two and two?", samples=1),
    ask("d", "Which image shows three red circles, the first or the second?", picture(1), picture(2)),
]
SHORT = SamplingSettings(max_new_tokens=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_random_model(tmp_path_factory.mktemp("generator") / "base"))


@pytest.fixture(scope="module")
def generator(folder: str) -> TransformersGenerator:
    return TransformersGenerator(folder, SHORT, threads=1)


def test_neighbours_and_order_change_no_answer(generator: TransformersGenerator) -> None:
    together = generator.generate(REQUESTS)
    assert [len(answers) for answers in together if isinstance(answers, list)] == [3, 3, 1, 3]
    assert together == [generator.generate([request])[0] for request in REQUESTS]
    assert together == generator.generate(REQUESTS[::-1])[::-1]


def test_fewer_samples_are_the_first_of_more(generator: TransformersGenerator) -> None:
    many, few = (generator.generate([ask("a", "How many?", samples=count)])[0] for count in (4, 2))
    assert isinstance(many, list)
    assert many[:2] == few
    assert len({answer.text for answer in many}) > 1


def test_key_and_seed_change_the_draws(folder: str, generator: TransformersGenerator) -> None:
    other_seed = TransformersGenerator(folder, SHORT.model_copy(update={"seed": 1}), threads=1)
    mine = generator.generate([ask("a", "How many?")])
    assert mine != generator.generate([ask("z", "How many?")])
    assert mine != other_seed.generate([ask("a", "How many?")])
    assert mine == generator.generate([ask("a", "How many?")])


def test_a_long_answer_is_cut_at_the_limit(generator: TransformersGenerator) -> None:
    answers = [answer for made in generator.generate(REQUESTS) if isinstance(made, list) for answer in made]
    assert {answer.finish_reason for answer in answers} <= {"stop", "length"}
    assert all(answer.tokens == 8 for answer in answers if answer.finish_reason == "length")
    assert all(answer.tokens < 8 for answer in answers if answer.finish_reason == "stop")
    assert any(answer.finish_reason == "length" for answer in answers)


def test_the_stop_token_ends_an_answer(folder: str) -> None:
    long = TransformersGenerator(folder, SamplingSettings(max_new_tokens=400, temperature=5.0), threads=1)
    answers = long.generate([ask("a", "How many?", samples=8)])[0]
    assert isinstance(answers, list)
    stopped = [answer for answer in answers if answer.finish_reason == "stop"]
    assert stopped
    assert all(answer.tokens < 400 and "<|" not in answer.text for answer in stopped)


@pytest.mark.parametrize("sampling", [SamplingSettings(temperature=0, max_new_tokens=6), SamplingSettings(top_p=1e-9)])
def test_without_chance_all_samples_are_the_likeliest_answer(folder: str, sampling: SamplingSettings) -> None:
    greedy = TransformersGenerator(folder, sampling.model_copy(update={"max_new_tokens": 6}), threads=1)
    answers = greedy.generate([REQUESTS[0]])[0]
    assert isinstance(answers, list)
    assert len(set(answers)) == 1
    assert isinstance(answers[0], Completion)


def test_greedy_decoding_equals_that_of_transformers(folder: str) -> None:
    """An independent implementation: transformers' own generate, one prompt at a time."""
    import torch

    from dt2it_ray.models.collate import open_encoder
    from dt2it_ray.models.weights import load_language_model

    settings = SamplingSettings(temperature=0, max_new_tokens=8)
    encoder, model = open_encoder(folder, settings.collate), load_language_model(folder, "float64")
    prompt = encoder.encode_prompt(REQUESTS[2].messages, ())
    assert not isinstance(prompt, Dropped)
    special = sorted(set(encoder.tokenizer.get_added_vocab().values()) - {encoder.tokenizer.eos_token_id})
    ids = torch.from_numpy(prompt.ids)[None]
    made = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=8,
        suppress_tokens=special,
        eos_token_id=encoder.tokenizer.eos_token_id,
        pad_token_id=encoder.pad_id,
    )
    expected = encoder.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
    answers = TransformersGenerator(folder, settings, threads=1).generate([REQUESTS[2]])[0]
    assert isinstance(answers, list)
    assert answers[0].text == expected


def test_an_undecodable_image_drops_its_request_only(generator: TransformersGenerator) -> None:
    broken = ask("x", "How many?", b"no image")
    made = generator.generate([REQUESTS[0], broken, REQUESTS[1]])
    assert isinstance(made[1], Dropped)
    assert made[1].reason == DropReason.IMAGE_UNDECODABLE
    assert [made[0], made[2]] == generator.generate(REQUESTS[:2])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="tokenizer"):
        TransformersGenerator(str(tmp_path), SHORT)
