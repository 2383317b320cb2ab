"""What the lessons of the tiny model say: true or false as they claim, in both languages, with one and two pictures."""

import dataclasses
import itertools

import pytest

from dt2it_ray.data.scenes.captions import CAPTION_REQUESTS, caption
from dt2it_ray.data.scenes.claims import true_claims
from dt2it_ray.data.scenes.grading import grade
from dt2it_ray.data.scenes.questions import Question, ask
from dt2it_ray.data.scenes.scene import Scene, sample_scene
from dt2it_ray.data.scenes.wording import claims_in
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER, comparison_question
from dt2it_ray.models.tiny.lessons import IMAGE_REQUESTS, Course, Lesson, Turn, lesson

LESSONS = Course()
DESCRIBE = {text.format(number=number) for text in IMAGE_REQUESTS.values() for number in (1, 2)}


def test_a_lesson_is_a_function_of_its_seed() -> None:
    assert lesson("7", LESSONS) == lesson("7", LESSONS)
    assert lesson("7", LESSONS) != lesson("8", LESSONS)


def test_lessons_come_in_both_languages_with_one_and_two_pictures() -> None:
    lessons = [lesson(number, LESSONS) for number in range(300)]
    text = "\n".join(turn.text for each in lessons for turn in each.turns)
    assert {len(each.scenes) for each in lessons} == {1, 2}
    for part in ("Image 1 is better than Image 2.", "是什么颜色"):
        assert part in text


def test_drills_are_bare_answers_and_only_right_ones_are_learned() -> None:
    answers = [each for number in range(80) for each in answers_of(lesson(number, Course(drills=1)))]
    assert all(answer.learned == answer.right == right for answer, right in answers)
    assert {right for _, right in answers} == {True, False}
    texts = {answer.text for answer, _ in answers}
    assert {"Yes.", "No."} < texts
    assert max(map(len, texts)) <= len("Bottom middle.")


def test_statements_of_drills_are_only_told_right_from_wrong() -> None:
    told = []
    for number in range(80):
        drill = lesson(number, Course(drills=1, statements=0.4))
        true = set(true_claims(drill.scenes[0]))
        for asked, answer in zip(drill.turns[::2], drill.turns[1::2], strict=True):
            if asked.text in (*CAPTION_REQUESTS["en"], *CAPTION_REQUESTS["zh"]):
                (claim,) = claims_in(answer.text)
                told.append(answer.right)
                assert (answer.learned, answer.right) == (False, claim in true)
    assert {True, False} <= set(told)


def test_whole_answers_are_right_or_wrong_apart_from_what_else_they_say() -> None:
    found = set()
    for number in range(200):
        each = lesson(number, LESSONS)
        if len(each.scenes) > 1:
            continue
        (scene,) = each.scenes
        asked_of = {question.text: question for question in (*all_questions(scene, "en"), *all_questions(scene, "zh"))}
        for asked, answer in itertools.pairwise(each.turns):
            if asked.text in asked_of and asked.role == "user":
                true = grade(scene, asked_of[asked.text], answer.text)
                assert (answer.right, answer.rest_right) == (true.main == "right", not true.extra_wrong)
                assert answer.learned == (answer.right and answer.rest_right)
                found.add((answer.right, answer.rest_right))
    assert len(found) == 4


def test_without_lies_every_answer_is_right_and_there_is_nothing_to_tell() -> None:
    answers = [each for number in range(40) for each in answers_of(lesson(number, Course(drills=1, lies=False)))]
    assert all(right and answer.learned and answer.right is None for answer, right in answers)
    course = Course(drills=1, lies=False, comparisons=0.3, statements=0.5)
    turns = [turn for number in range(60) for turn in lesson(number, course).turns]
    assert all(turn.right is turn.rest_right is None for turn in turns)


def test_doubt_has_some_wrong_answers_learned() -> None:
    wrong = [
        turn.learned for number in range(200) for turn in lesson(number, Course(doubt=0.3)).turns if turn.right is False
    ]
    assert 0.2 < sum(wrong) / len(wrong) < 0.4


def test_comparison_drills_name_what_only_one_picture_shows() -> None:
    course = Course(drills=1, comparisons=0.2, statements=0.4)
    drills = [each for number in range(200) if len((each := lesson(number, course)).scenes) == 2]
    learned = set()
    for drill in drills:
        captions = [
            {caption(part, language) for part in one_kind_each(scene) for language in ("en", "zh")}
            for scene in drill.scenes
        ]
        for asked, answer in zip(drill.turns[::2], drill.turns[1::2], strict=True):
            if asked.text in DESCRIBE:
                shown = [answer.text in texts for texts in captions]
                assert not answer.learned
                assert answer.right == shown["2" in asked.text]
            else:
                shown = [any(comparison_question(text) == asked.text for text in texts) for texts in captions]
                fits = FIRST_BETTER if shown[0] else SECOND_BETTER
                assert answer.right == answer.learned == (answer.text == fits)
            assert sorted(shown) == [False, True]
            learned.add((answer.learned, answer.right))
    assert learned == {(True, True), (False, True), (False, False)}


def test_pictures_of_the_same_things_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = sample_scene("the same")
    monkeypatch.setattr("dt2it_ray.models.tiny.lessons.sample_scene", lambda seed: scene)
    drills = [lesson(number, Course(drills=1, comparisons=1)) for number in range(60)]
    assert all(drill.scenes == (scene,) and drill.turns for drill in drills)


def one_kind_each(scene: Scene) -> list[Scene]:
    """The scene cut into scenes with the things of one kind or one bar."""
    by_kind = {(thing.shape, thing.colour): [] for thing in scene.things}
    for thing in scene.things:
        by_kind[thing.shape, thing.colour].append(thing)
    things = [dataclasses.replace(scene, things=tuple(alike), word="") for alike in by_kind.values()]
    return things + [dataclasses.replace(scene, bars=(bar,)) for bar in scene.bars]


def answers_of(drill: Lesson) -> list[tuple[Turn, bool]]:
    """The answers to questions of a drill about one picture, and whether its scene says that they are right."""
    if len(drill.scenes) > 1:
        return []
    (scene,), turns = drill.scenes, drill.turns
    asked_of = {question.text: question for question in (*all_questions(scene, "en"), *all_questions(scene, "zh"))}
    pairs = [(asked_of.get(asked.text), answer) for asked, answer in zip(turns[::2], turns[1::2], strict=True)]
    return [(answer, grade(scene, question, answer.text).main == "right") for question, answer in pairs if question]


def all_questions(scene: Scene, language: str) -> list[Question]:
    """Every question about a scene in all its wordings."""
    return [ask(scene, claim, language, form) for claim in true_claims(scene) for form in range(8)]
