"""What the tiny model is taught: conversations about scenes, drawn from a seed. Imports no model library."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from dt2it_ray.data.chat import REWARD_SYSTEM
from dt2it_ray.data.scenes.answers import STYLES, pick_extras, write_answer
from dt2it_ray.data.scenes.captions import CAPTION_REQUESTS, caption
from dt2it_ray.data.scenes.claims import holds
from dt2it_ray.data.scenes.grading import SENTENCE, grade
from dt2it_ray.data.scenes.questions import Question, sample_questions
from dt2it_ray.data.scenes.scene import Scene, drawer, sample_scene
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.data.scenes.wording import bare_text, claim_text, claims_in
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER, comparison_question

CHINESE_SHARE = 0.38
TWO_IMAGE_SHARE = 0.15
SYSTEM_SHARE = 0.4
CAPTION_SHARE = 0.25
LIES = (0.4, 0.35)
"""Part of the answers whose main claim is wrong, and of their further claims: half of all answers have some error."""
QUESTIONS = 3
DRILL_QUESTIONS = 5
DRILL_COMPARISONS = 4
FULL_STOPS = {"en": ".", "zh": "。"}
BETTER = (FIRST_BETTER, SECOND_BETTER)
IMAGE_REQUESTS = {"en": "Describe image {number}.", "zh": "请描述第{number}张图片。"}


@dataclass(frozen=True)
class Turn:
    """One turn of a lesson."""

    role: str
    text: str
    learned: bool = False
    """Whether the model learns to say it; other assistant turns are given."""
    right: bool | None = None
    """Whether it answers the question rightly, which the model learns to tell at its end; None where it does not."""
    rest_right: bool | None = None
    """Whether whatever else it says is true, which is told apart from that."""
    sentences: tuple[tuple[int, bool], ...] = ()
    """Where in the text the sentences end that claim something, and whether they are true: told there, one by one."""


@dataclass(frozen=True)
class Lesson:
    """A conversation about one or two pictures, which stand at the start of the first user turn."""

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Course:
    """What is taught at some time of the training."""

    drills: float = 0.0
    """Part of the lessons that are drills: questions with the barest answers, single statements, short captions."""
    lies: bool = True
    """Half of the answers are wrong on purpose. They are not learned, but of all answers the model tells whether they
    are right. Otherwise all are right, and it does not."""
    doubt: float = 0.0
    """Part of the wrong answers that are learned nevertheless, so that sampling from the model gives some."""
    comparisons: float = 0.0
    """Part of the drills that are about two pictures."""
    statements: float = 0.0
    """Part of the questions in drills that ask what a picture shows; the answer is any sentence about it."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much likelier a question of a family is asked than one of the others, of which a scene allows more."""


def lesson(seed: int | str, course: Course) -> Lesson:
    """The lesson of a seed."""
    drilled = drawer("course", seed).random() < course.drills
    return _drill(seed, course) if drilled else _whole_lesson(seed, course)


def _drill(seed: int | str, course: Course) -> Lesson:
    """Bare answers, single statements and captions of one thing: each token tells of the picture, and the model finds
    out which image token a question is about, and then what is true of it, long before it could from whole lessons."""
    draw = drawer("drill", seed)
    language, scene = _draw_language(draw), sample_scene(f"drill {seed}")
    if draw.random() < course.comparisons:
        scenes = (scene, sample_scene(f"drill {seed} other"))
        if compared := _comparison_drill(scenes, language, course, draw):
            return Lesson(scenes, tuple(compared))
    turns = []
    for question in _pick_questions(scene, seed, language, DRILL_QUESTIONS, course, draw):
        right = _draw_right(course, draw)
        value = question.value if right else draw.choice(question.false_values)
        claim = question.claim(value)
        if draw.random() < course.statements:
            asked, sentence = draw.choice(CAPTION_REQUESTS[language]), claim_text(claim, language, draw.randrange(2))
            turns += [Turn("user", asked), _statement(sentence, right, course)]
        else:
            answer = bare_text(claim, language) + FULL_STOPS[language]
            turns += [Turn("user", question.text), _answer(answer, right, course, draw)]
    return Lesson((scene,), tuple(turns))


def _comparison_drill(scenes: tuple[Scene, Scene], language: str, course: Course, draw: random.Random) -> list[Turn]:
    """Captions that name one thing of one of the pictures: which one do they fit? None where both show the same."""
    captions = [[caption(part, language) for part in _parts(scene)] for scene in scenes]
    turns = []
    for _ in range(DRILL_COMPARISONS):
        better = draw.randrange(2)
        telling = [text for text in captions[better] if text not in captions[1 - better]]
        if not telling:
            continue
        if draw.random() < course.statements:
            right = _draw_right(course, draw)
            asked = IMAGE_REQUESTS[language].format(number=1 + (better if right else 1 - better))
            turns += [Turn("user", asked), _statement(draw.choice(telling), right, course)]
        else:
            turns += _comparison_turns(draw.choice(telling), better, course, draw)
    return turns


def _parts(scene: Scene) -> list[Scene]:
    """Scenes with nothing but the things of one kind, or one bar."""
    kinds = sorted({(thing.shape, thing.colour) for thing in scene.things})
    things = [tuple(each for each in scene.things if (each.shape, each.colour) == kind) for kind in kinds]
    return [
        *(replace(scene, things=alike, word="") for alike in things),
        *(replace(scene, bars=(bar,)) for bar in scene.bars),
    ]


def _comparison_turns(text: str, better: int, course: Course, draw: random.Random) -> list[Turn]:
    """Which of two pictures fits a caption; `better` is 0 or 1."""
    right = _draw_right(course, draw)
    answer = BETTER[better if right else 1 - better]
    return [Turn("user", comparison_question(text)), _answer(answer, right, course, draw)]


def _whole_lesson(seed: int | str, course: Course) -> Lesson:
    draw = drawer("lesson", seed)
    language = _draw_language(draw)
    system = [Turn("system", REWARD_SYSTEM[language])] if draw.random() < SYSTEM_SHARE else []
    if draw.random() < TWO_IMAGE_SHARE:
        scenes, turns = _two_image_turns(seed, language, course, draw)
    else:
        scene = sample_scene(f"lesson {seed}")
        scenes, turns = (scene,), _lesson_turns(scene, seed, language, course, draw)
    return Lesson(scenes, (*system, *turns))


def _draw_language(draw: random.Random) -> str:
    return "zh" if draw.random() < CHINESE_SHARE else "en"


def _lesson_turns(scene: Scene, seed: int | str, language: str, course: Course, draw: random.Random) -> list[Turn]:
    """Questions with answers, and sometimes a caption somewhere between them."""
    parts = [
        _answer_turns(scene, question, f"{seed} {place}", course, draw)
        for place, question in enumerate(_pick_questions(scene, seed, language, QUESTIONS, course, draw))
    ]
    if draw.random() < CAPTION_SHARE:
        request = draw.choice(CAPTION_REQUESTS[language])
        described = [Turn("user", request), Turn("assistant", caption(scene, language, seed), learned=True)]
        parts.insert(draw.randint(0, len(parts)), described)
    return [turn for part in parts for turn in part]


def _pick_questions(
    scene: Scene, seed: int | str, language: str, number: int, course: Course, draw: random.Random
) -> list[Question]:
    """Some of the questions that the scene allows, families of greater weight more often."""
    asked = sample_questions(scene, seed, language, 4 * number)
    # Efraimidis and Spirakis: the largest of u ** (1 / weight) are a weighted sample without replacement.
    ranked = sorted(asked, key=lambda question: -(draw.random() ** (1 / course.weights.get(question.family, 1.0))))
    return ranked[:number]


def _answer_turns(scene: Scene, question: Question, seed: str, course: Course, draw: random.Random) -> list[Turn]:
    main_true, extras_true = _plant_truth(*(LIES if course.lies else (0, 0)), draw)
    value = question.value if main_true else draw.choice(question.false_values)
    extras = pick_extras(scene, question, extras_true, seed)
    answer = write_answer(scene, question, value, draw.choice(STYLES), question.language, extras, seed)
    found = grade(scene, question, answer)
    turn = _answer(answer, found.main == "right", course, draw, not found.extra_wrong)
    if course.lies:
        turn = replace(turn, sentences=tuple(_judge_sentences(scene, answer)))
    return [Turn("user", question.text), turn]


def _judge_sentences(scene: Scene, text: str) -> Iterator[tuple[int, bool]]:
    for sentence in SENTENCE.finditer(text):
        if claims := claims_in(sentence.group()):
            yield sentence.end() - 1, all(holds(scene, claim) for claim in claims)


def _draw_right(course: Course, draw: random.Random) -> bool:
    return not course.lies or draw.random() < 0.5


def _answer(text: str, right: bool, course: Course, draw: random.Random, rest_right: bool | None = None) -> Turn:
    learned = (right and rest_right is not False) or draw.random() < course.doubt
    return Turn("assistant", text, learned, right, rest_right) if course.lies else Turn("assistant", text, learned)


def _statement(text: str, right: bool, course: Course) -> Turn:
    """Never learned, as one of many sentences that would do."""
    if not course.lies:
        return Turn("assistant", text)
    return Turn("assistant", text, right=right, sentences=((len(text) - 1, right),))


def _plant_truth(main_lies: float, extra_lies: float, draw: random.Random) -> tuple[bool, list[bool]]:
    extras = [draw.random() >= extra_lies for _ in range(draw.choice((0, 0, 1, 1, 2)))]
    return draw.random() >= main_lies, extras


def _two_image_turns(
    seed: int | str, language: str, course: Course, draw: random.Random
) -> tuple[tuple[Scene, ...], list[Turn]]:
    """Comparisons for captions of both pictures and one description, in any order."""
    pair = t2i_pair(f"lesson {seed}", language)
    scenes = (pair.fitting, pair.other) if draw.random() < 0.5 else (pair.other, pair.fitting)
    parts = [
        _comparison_turns(caption(scene, language, seed), better, course, draw) for better, scene in enumerate(scenes)
    ]
    number = draw.randint(1, 2)
    request = IMAGE_REQUESTS[language].format(number=number)
    described = caption(scenes[number - 1], language, seed)
    parts.append([Turn("user", request), Turn("assistant", described, learned=True)])
    draw.shuffle(parts)
    return scenes, [turn for part in parts for turn in part]
