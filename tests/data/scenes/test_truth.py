import pytest

from dt2it_ray.data.scenes.annotator import AnnotatorSettings, Sheet, annotate
from dt2it_ray.data.scenes.claims import Claim
from dt2it_ray.data.scenes.prompts import draw_prompt
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.data.scenes.truth import BETTER_IMAGE, CHOICES, Truth
from dt2it_ray.errors import InputError
from dt2it_ray.rules.judge_reply import Reply, parse_reply


def choice(better: str) -> Truth:
    pair = t2i_pair("truth test")
    return Truth((pair.fitting, pair.other), Claim(BETTER_IMAGE, "", better))


@pytest.mark.parametrize("seed", range(12))
def test_truth_comes_back_from_json(seed: int) -> None:
    text = draw_prompt(f"truth test {seed}").truth_json()
    assert Truth.from_json(text).to_json() == text
    assert "\n" not in text


def test_two_image_truth_grades_the_fixed_answers() -> None:
    truth = Truth.from_json(choice("2").to_json())
    assert len(truth.scenes) == 2
    mains = [truth.grade("", "en", text).main for text in (CHOICES["2"], CHOICES["1"], "Both images are equally good.")]
    assert mains == ["right", "wrong", "missing"]
    assert truth.grade("", "en", f"{CHOICES['1']} {CHOICES['2']}").main == "wrong"


def test_an_annotator_judges_two_image_rows() -> None:
    settings = AnnotatorSettings(error_rate=0, position_bias=0, malformed=0)
    sheet = Sheet(choice("1"), "Which?", "en", (CHOICES["2"], CHOICES["1"]))
    parsed = parse_reply(annotate(settings, "judge", sheet, 1), 2)
    assert isinstance(parsed, Reply)
    assert parsed.reference == CHOICES["1"]
    assert parsed.answers[0].overall < parsed.answers[1].overall


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scenes": 3, "asked": {}}', '{"scenes": [], "asked": {"a": 1}}'])
def test_what_is_no_truth_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(InputError, match=r"Truth\.to_json"):
        Truth.from_json(text)
