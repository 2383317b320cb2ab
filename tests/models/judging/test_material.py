"""Control tokens that an answer holds reach no model: judges read them as text, reward models refuse them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.rating_form import RATING
from dt2it_ray.data.rubric_form import RUBRIC
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.judging.material import as_material
from dt2it_ray.models.judging.prompt import judge_messages
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.protocols import JudgeRequest, RefusedReply, reward_conversation
from dt2it_ray.models.tiny import tiny_path
from tests.rules.injections import INJECTIONS
from tests.stages.rows import png

CONTROL = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|image_pad|>", "<|vision_start|>", "<|eot_id|>", "<|turn>"),
    *("<turn|>", "<｜User｜>", "<s>", "</s>", "<pad>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]"),
    *("<image>", "<think>", "</think>", "<<SYS>>", "[IMG]"),
)
PIECES = st.sampled_from([*CONTROL, "<", "|", ">", "[", "]", "/", "im_end", " ", "\n", "图"])


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_encoder(str(tiny_path()), CollateSettings(max_length=100_000))


def control_ids(encoder: Encoder, encoded: Encoded | Dropped) -> list[int]:
    """The control tokens of a prompt, in order."""
    assert isinstance(encoded, Encoded), encoded
    added = set(encoder.tokenizer.get_added_vocab().values())
    return [token for token in encoded.ids.tolist() if token in added]


FORMS = {"rubric-1": RUBRIC, "granular-1": RATING}


def asked(encoder: Encoder, answer: str, template: str) -> Encoded | Dropped:
    refused = RefusedReply(answer, f"the unknown field {answer[:20]!r}")
    request = JudgeRequest("k", answer, answer, "en", (png(),), (answer, "B"), 2, refused=refused)
    return encoder.encode_prompt(judge_messages(request, template, FORMS[template]), request.images)


@pytest.mark.parametrize("name", [name for name in INJECTIONS if not name.startswith("huge")])
@pytest.mark.parametrize("template", FORMS)
def test_no_injection_opens_a_turn_or_an_image_place_in_a_judges_prompt(
    encoder: Encoder, name: str, template: str
) -> None:
    told = asked(encoder, INJECTIONS[name], template)
    assert control_ids(encoder, told) == control_ids(encoder, asked(encoder, "harmless", template))


@pytest.mark.parametrize("name", [name for name in INJECTIONS if not name.startswith("huge")])
def test_a_reward_model_scores_an_answer_as_text_or_refuses_it(encoder: Encoder, name: str) -> None:
    prompt = {"question": "How many?", "images": [{"bytes": png(), "path": None}], "history": None}
    told, harmless = (encoder.encode(reward_conversation(prompt, text)) for text in (INJECTIONS[name], "Three."))
    if isinstance(told, Dropped):
        assert told.reason == DropReason.FIELD_INVALID
        assert as_material(INJECTIONS[name]) != INJECTIONS[name]
    else:
        assert control_ids(encoder, told) == control_ids(encoder, harmless)


@given(st.lists(PIECES, max_size=8).map("".join))
@settings(max_examples=300, deadline=None)
def test_no_control_token_is_left_and_nothing_but_spaces_is_added(text: str) -> None:
    made = as_material(text)
    assert not [token for token in CONTROL if token in made]
    assert re.sub(r"\s", "", made) == re.sub(r"\s", "", text)
    assert as_material(made) == made


@pytest.mark.parametrize(
    "text",
    ["df |> filter(x < 3 | y > 2)", "a <|> b", "f <| x |> g", "<b>bold</b>", "a[i] < b", "[1] [end]", "5 < 6"],
)
def test_code_and_formulas_stay_as_they_are(text: str) -> None:
    assert as_material(text) == text
