"""What the tiny model is taught: conversations about scenes, drawn from a seed. Imports no model library."""

import random
from dataclasses import dataclass

from dt2it_ray.data.chat import REWARD_SYSTEM
from dt2it_ray.data.scenes.answers import STYLES, pick_extras, write_answer
from dt2it_ray.data.scenes.captions import CAPTION_REQUESTS, caption
from dt2it_ray.data.scenes.grading import grade
from dt2it_ray.data.scenes.questions import Question, sample_questions
from dt2it_ray.data.scenes.scene import Scene, drawer, sample_scene
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.data.scenes.wording import bare_text
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER, comparison_question

CHINESE_SHARE = 0.28
TWO_IMAGE_SHARE = 0.12
SYSTEM_SHARE = 0.4
CHECK_SHARE = 0.5
CHECKED_LIES = (0.35, 0.2)
"""Part of the checked answers whose main claim is wrong, and of their further claims: half of them have some error."""
QUESTIONS = 3
DRILL_QUESTIONS = 5
WEIGHTS = {"existence": 3.0, "position": 2.0, "word": 1.5}
"""How much likelier a question of a family is asked than one of the others. To say whether something is there means
to compare words with a picture, which is what a reward model does, and it is learned late."""
STYLE_WEIGHTS = (2, 1, 1, 1)
"""Of `STYLES`: short answers teach the most per token."""
CHECKS = {
    "en": ("Is that right?", "Is this answer correct?", "Is everything in this answer true?"),
    "zh": ("对吗？", "这个回答正确吗？", "这个回答都对吗？"),
}
CHECK_ANSWERS = {"en": ("No.", "Yes."), "zh": ("不对。", "对。")}
FULL_STOPS = {"en": ".", "zh": "。"}
BETTER = (FIRST_BETTER, SECOND_BETTER)
IMAGE_REQUESTS = {"en": "Describe image {number}.", "zh": "请描述第{number}张图片。"}


@dataclass(frozen=True)
class Turn:
    """One turn of a lesson; `learned` assistant turns carry the loss."""

    role: str
    text: str
    learned: bool = False


@dataclass(frozen=True)
class Lesson:
    """A conversation about one or two pictures, which stand at the start of the first user turn."""

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Course:
    """What is taught at some time of the training."""

    drill: bool = False
    """Questions with the barest answers instead of whole lessons."""
    check_share: float = CHECK_SHARE
    """Part of the answers that are not learned but checked: the next user turn asks whether they are right."""
    doubt: float = 0.0
    """Part of the learned answers of whole lessons that are wrong on purpose, so that sampling from the model gives
    wrong answers about as often."""


def lesson(seed: int | str, course: Course) -> Lesson:
    """The lesson of a seed."""
    return _drill(seed, course) if course.drill else _whole_lesson(seed, course)


def _drill(seed: int | str, course: Course) -> Lesson:
    """Nothing but bare answers: each learned token tells of the picture, and the model finds out which image token a
    question is about, and then whether an answer fits it, long before it could from whole sentences."""
    draw = drawer("drill", seed)
    language, scene = _draw_language(draw), sample_scene(f"drill {seed}")
    turns = []
    for question in _pick_questions(scene, seed, language, DRILL_QUESTIONS, draw):
        checked = draw.random() < course.check_share
        right = not checked or draw.random() < 0.5
        value = question.value if right else draw.choice(question.false_values)
        answer = bare_text(question.claim(value), language) + FULL_STOPS[language]
        turns += [Turn("user", question.text), Turn("assistant", answer, learned=not checked)]
        turns += _check_turns(right, language, draw) if checked else []
    return Lesson((scene,), tuple(turns))


def _whole_lesson(seed: int | str, course: Course) -> Lesson:
    draw = drawer("lesson", seed)
    language = _draw_language(draw)
    system = [Turn("system", REWARD_SYSTEM[language])] if draw.random() < SYSTEM_SHARE else []
    if draw.random() < TWO_IMAGE_SHARE:
        scenes, turns = _two_image_turns(seed, language, draw)
    else:
        scene = sample_scene(f"lesson {seed}")
        scenes, turns = (scene,), _lesson_turns(scene, seed, language, course, draw)
    return Lesson(scenes, (*system, *turns))


def _draw_language(draw: random.Random) -> str:
    return "zh" if draw.random() < CHINESE_SHARE else "en"


def _lesson_turns(scene: Scene, seed: int | str, language: str, course: Course, draw: random.Random) -> list[Turn]:
    """Questions with answers, some checked, and mostly one caption somewhere between them."""
    parts = [
        _answer_turns(scene, question, f"{seed} {place}", course, draw)
        for place, question in enumerate(_pick_questions(scene, seed, language, QUESTIONS, draw))
    ]
    if draw.random() < 0.5:
        request = draw.choice(CAPTION_REQUESTS[language])
        described = [Turn("user", request), Turn("assistant", caption(scene, language, seed), learned=True)]
        parts.insert(draw.randint(0, len(parts)), described)
    return [turn for part in parts for turn in part]


def _pick_questions(scene: Scene, seed: int | str, language: str, number: int, draw: random.Random) -> list[Question]:
    """Some of the questions that the scene allows, families of greater weight more often."""
    asked = sample_questions(scene, seed, language, 4 * number)
    # Efraimidis and Spirakis: the largest of u ** (1 / weight) are a weighted sample without replacement.
    ranked = sorted(asked, key=lambda question: -(draw.random() ** (1 / WEIGHTS.get(question.family, 1.0))))
    return ranked[:number]


def _answer_turns(scene: Scene, question: Question, seed: str, course: Course, draw: random.Random) -> list[Turn]:
    checked = draw.random() < course.check_share
    lies = CHECKED_LIES if checked else (course.doubt, course.doubt)
    main_true, extras_true = _plant_truth(*lies, draw)
    value = question.value if main_true else draw.choice(question.false_values)
    extras = pick_extras(scene, question, extras_true, seed)
    answer = write_answer(
        scene, question, value, draw.choices(STYLES, STYLE_WEIGHTS)[0], question.language, extras, seed
    )
    turns = [Turn("user", question.text), Turn("assistant", answer, learned=not checked)]
    if not checked:
        return turns
    found = grade(scene, question, answer)
    return turns + _check_turns(found.main == "right" and not found.extra_wrong, question.language, draw)


def _plant_truth(main_lies: float, extra_lies: float, draw: random.Random) -> tuple[bool, list[bool]]:
    extras = [draw.random() >= extra_lies for _ in range(draw.choice((0, 0, 1, 1, 2)))]
    return draw.random() >= main_lies, extras


def _check_turns(right: bool, language: str, draw: random.Random) -> list[Turn]:
    asked = draw.choice(CHECKS[language])
    return [Turn("user", asked), Turn("assistant", CHECK_ANSWERS[language][right], learned=True)]


def _two_image_turns(seed: int | str, language: str, draw: random.Random) -> tuple[tuple[Scene, ...], list[Turn]]:
    """Comparisons for the captions of both pictures and one description, in any order."""
    pair = t2i_pair(f"lesson {seed}", language)
    scenes = (pair.fitting, pair.other) if draw.random() < 0.5 else (pair.other, pair.fitting)
    parts = []
    for better, scene in enumerate(scenes):
        question = Turn("user", comparison_question(caption(scene, language, seed)))
        if draw.random() < CHECK_SHARE:
            right = draw.random() < 0.5
            answer = Turn("assistant", BETTER[better if right else 1 - better])
            parts.append([question, answer, *_check_turns(right, language, draw)])
        else:
            parts.append([question, Turn("assistant", BETTER[better], learned=True)])
    number = draw.randint(1, 2)
    request = IMAGE_REQUESTS[language].format(number=number)
    described = caption(scenes[number - 1], language, seed)
    parts.append([Turn("user", request), Turn("assistant", described, learned=True)])
    draw.shuffle(parts)
    return scenes, [turn for part in parts for turn in part]
