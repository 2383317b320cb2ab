import itertools

import pytest

from dt2it_ray.data.images import decode
from dt2it_ray.data.scenes.answers import STYLES, pick_extras, write_answer
from dt2it_ray.data.scenes.captions import caption
from dt2it_ray.data.scenes.claims import FAMILIES, false_values, holds, true_claims
from dt2it_ray.data.scenes.grading import grade
from dt2it_ray.data.scenes.prompts import distill_row, draw_prompt
from dt2it_ray.data.scenes.questions import ask
from dt2it_ray.data.scenes.render import render
from dt2it_ray.data.scenes.scene import Scene, sample_scene
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.data.scenes.t2i_rows import t2i_row
from dt2it_ray.data.schema import PROMPTS, T2I_ROWS


@pytest.mark.parametrize(("style", "language"), [*itertools.product(STYLES, ("en", "zh"))])
def test_a_written_answer_is_graded_as_it_was_planned(style: str, language: str) -> None:
    for seed in range(25):
        scene = sample_scene(f"answers test {seed}")
        for claim in true_claims(scene)[::5]:
            question = ask(scene, claim, language, seed)
            extras = pick_extras(scene, question, (True,), seed)
            for value, main in ((question.value, "right"), (question.false_values[0], "wrong")):
                text = write_answer(scene, question, value, style, language, extras, seed)
                found = grade(scene, question, text)
                assert (found.main, found.extra_wrong) == (main, 0), (text, question)


def test_true_claims_hold_and_false_values_do_not() -> None:
    for seed in range(40):
        scene = sample_scene(f"answers test {seed}")
        for claim in true_claims(scene):
            assert holds(scene, claim)
            assert claim.value not in false_values(scene, claim)


def test_a_scene_comes_back_from_json_and_renders_to_the_same_bytes() -> None:
    for seed in range(20):
        scene = sample_scene(f"answers test {seed}")
        again = Scene.from_json(scene.to_json())
        assert again == scene
        assert render(again) == render(scene)
        assert decode(render(scene)).size == (96, 96)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_is_about_the_family_asked_for(family: str) -> None:
    assert {draw_prompt(f"answers test {seed}", (family,)).question.family for seed in range(10)} == {family}


def test_rows_that_wait_for_candidates_have_no_answers() -> None:
    row = distill_row("p", "distill", 0, 3)
    assert list(row) == PROMPTS.names
    assert (row["answers"], row["labels"], row["reference"]) == ([], [], None)
    assert distill_row("p", "distill", 0, 3) == row


def test_the_other_image_of_a_preference_does_not_fit_the_caption() -> None:
    for seed in range(60):
        pair = t2i_pair(f"answers test {seed}", "zh" if seed % 3 == 0 else "en")
        assert pair.caption == caption(pair.fitting, pair.language, f"answers test {seed}")
        assert parts(caption(pair.other, pair.language)) != parts(pair.caption)
    row = t2i_row("p", "t2i", 0, 1)
    assert list(row) == T2I_ROWS.names
    assert row["images"][0] != row["images"][1]


def parts(text: str) -> list[str]:
    """The things a caption names, in any order."""
    cleaned = text.lower().replace(" with the word ", ", ").replace(" and ", ", ").rstrip(".。")
    for mark in "、，和：":
        cleaned = cleaned.replace(mark, ", ")
    return sorted(cleaned.split(", "))
