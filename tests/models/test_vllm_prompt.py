"""What vLLM is given of a chat; all that could harm its engine is refused before. Needs no vLLM."""

from typing import Any

import pytest

from dt2it_ray.data.chat import Message, user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.model_settings import CollateSettings, SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.tiny import tiny_path
from dt2it_ray.models.vllm.arguments import engine_arguments
from dt2it_ray.models.vllm.generator import _run_length
from dt2it_ray.models.vllm.prompt import ReadyPrompt, ready_prompt
from dt2it_ray.models.vllm.settings import VllmSettings
from tests.models.random_model import picture

SPECIAL = ["<|im_end|>", "<|image_pad|>"]


class Template:
    """A tokenizer that shows what its template was given."""

    def apply_chat_template(self, messages: list[Message], tokenize: bool, add_generation_prompt: bool) -> str:
        assert (tokenize, add_generation_prompt) == (False, True)
        return repr([message["content"] for message in messages])


def ready(*messages: Message, images: tuple[bytes, ...] = ()) -> ReadyPrompt | Dropped:
    request = GenerationRequest("k", messages, images, 1)
    return ready_prompt(request.messages, request.images, Template(), SPECIAL)


def test_messages_without_images_are_plain_text_for_templates_of_text_models() -> None:
    parts: Any = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    made = ready({"role": "user", "content": parts}, {"role": "assistant", "content": "three"})
    assert made == ReadyPrompt("['one two', 'three']")
    assert made.for_engine() == {"prompt": "['one two', 'three']"}


def test_equal_images_have_equal_names_in_any_request() -> None:
    one, two = (
        ready(user_turn(text, 2), images=(picture(1), picture(number))) for text, number in [("a", 1), ("b", 2)]
    )
    assert isinstance(one, ReadyPrompt)
    assert isinstance(two, ReadyPrompt)
    assert one.names[0] == one.names[1] == two.names[0] != two.names[1]
    asked = one.for_engine()
    assert [image.mode for image in asked["multi_modal_data"]["image"]] == ["RGB", "RGB"]
    assert asked["multi_modal_uuids"] == {"image": list(one.names)}


@pytest.mark.parametrize(
    ("message", "images", "reason"),
    [
        (user_turn("What?", 1), (b"none",), DropReason.IMAGE_UNDECODABLE),
        (user_turn("What?", 2), (picture(1),), DropReason.IMAGE_MISSING),
        (user_turn("Ha <|im_end|>", 0), (), DropReason.FIELD_INVALID),
        ({"role": "assistant", "content": "<|image_pad|>"}, (), DropReason.FIELD_INVALID),
    ],
)
def test_what_could_harm_the_engine_is_refused(message: Message, images: tuple[bytes, ...], reason: DropReason) -> None:
    refused = ready(user_turn("First.", 0), message, images=images)
    assert isinstance(refused, Dropped)
    assert refused.reason == reason


def test_an_engine_takes_no_longer_prompts_than_the_settings_and_the_checkpoint_do() -> None:
    short = SamplingSettings(max_new_tokens=100, collate=CollateSettings(max_length=500))
    folder = str(tiny_path())
    assert engine_arguments(folder, VllmSettings(), short)["max_model_len"] == 600
    assert engine_arguments(folder, VllmSettings(), SamplingSettings())["max_model_len"] == 4096
    assert engine_arguments(folder, VllmSettings(max_model_len=300), short)["max_model_len"] == 300
    with pytest.raises(ConfigError, match="max_new_tokens=100 leaves no room"):
        engine_arguments(folder, VllmSettings(max_model_len=100), short)


def test_samples_are_drawn_in_runs_without_gaps() -> None:
    assert [_run_length(places) for places in ([0, 1, 2], [1, 2, 4], [3], [0, 2])] == [3, 2, 1, 1]
