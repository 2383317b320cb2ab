"""How well the tiny model answers: greedy answers to questions about scenes it never saw, graded by family."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.scenes.claims import FAMILIES
from dt2it_ray.data.scenes.grading import grade
from dt2it_ray.data.scenes.questions import Question, sample_questions
from dt2it_ray.data.scenes.render import render
from dt2it_ray.data.scenes.scene import Scene, drawer, sample_scene
from dt2it_ray.data.scenes.t2i import t2i_pair
from dt2it_ray.data.scenes.wording import LANGUAGES
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER, comparison_question
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Completion, GenerationRequest, Generator

TWO_IMAGES = "two images"


@dataclass(frozen=True)
class Mark:
    """How many questions of a family in a language were asked and answered rightly."""

    family: str
    language: str
    asked: int
    right: int


def examine(folder: Path, device: str = "cpu", scenes: int = 300) -> list[Mark]:
    """Marks by family and language on `scenes` scenes per language, and as many two-image comparisons."""
    from dt2it_ray.models.transformers_generator import TransformersGenerator

    sampling = SamplingSettings(temperature=0, max_new_tokens=64, dtype="float32")
    return mark(TransformersGenerator(str(folder), sampling, device=device, threads=2), scenes)


def mark(generator: Generator, scenes: int) -> list[Mark]:
    """The marks of any generator that answers once and greedily."""
    asked: Counter[tuple[str, str]] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    for language in LANGUAGES:
        questions = [
            (scene, question)
            for number in range(scenes)
            for scene in [sample_scene(f"exam {number}")]
            for question in sample_questions(scene, f"exam {number}", language, 2)
        ]
        answers = _answer(generator, [_request(scene, question) for scene, question in questions])
        for (scene, question), answer in zip(questions, answers, strict=True):
            asked[question.family, language] += 1
            right[question.family, language] += grade(scene, question, answer).main == "right"
        wanted = [_comparison(number, language) for number in range(scenes)]
        answers = _answer(generator, [request for request, _ in wanted])
        asked[TWO_IMAGES, language] += scenes
        fits = [answer == better for answer, (_, better) in zip(answers, wanted, strict=True)]
        right[TWO_IMAGES, language] += sum(fits)
    order = [(family, language) for family in (*FAMILIES, TWO_IMAGES) for language in LANGUAGES]
    return [Mark(*place, asked[place], right[place]) for place in order if asked[place]]


def write_card(folder: Path, settings: object, marks: list[Mark], made: str) -> None:
    """README.md of the model: what it is, how it was made, and its marks."""
    rows = [f"| {mark.family} | {mark.language} | {mark.asked} | {mark.right / mark.asked:.3f} |" for mark in marks]
    asked, right = sum(mark.asked for mark in marks), sum(mark.right for mark in marks)
    text = CARD.format(made=made, settings=settings, rows="\n".join(rows), asked=asked, share=right / asked)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _request(scene: Scene, question: Question) -> GenerationRequest:
    return GenerationRequest(question.text, (user_turn(question.text, 1),), (render(scene),), 1)


def _comparison(number: int, language: str) -> tuple[GenerationRequest, str]:
    """Two images in a drawn order with the right answer."""
    pair = t2i_pair(f"exam {number}", language)
    first = drawer("exam order", number).random() < 0.5
    scenes = (pair.fitting, pair.other) if first else (pair.other, pair.fitting)
    messages = (user_turn(comparison_question(pair.caption), 2),)
    images = tuple(render(scene) for scene in scenes)
    return GenerationRequest(f"exam {number}", messages, images, 1), FIRST_BETTER if first else SECOND_BETTER


def _answer(generator: Generator, requests: list[GenerationRequest]) -> list[str]:
    """The first answer to each request; an empty one where the request was refused."""
    answers = []
    for start in range(0, len(requests), 64):
        for made in generator.generate(requests[start : start + 64]):
            answers.append(made[0].text.strip() if isinstance(made, list) and isinstance(made[0], Completion) else "")
    return answers


CARD = """---
license: apache-2.0
language: [en, zh]
pipeline_tag: image-text-to-text
---
# Tiny Qwen3-VL of the embedded world

Qwen3-VL's architecture at 2.9 M parameters (128 hidden, 6 text layers, 3 vision layers, patch 16), taught from random
weights on rendered 96x96 scenes: coloured shapes, written words and bar charts, with questions in English and
Chinese. It answers the prompts of the embedded run and is the backbone of its reward models. It knows nothing else
and is of no use outside.

It learned to see, then to answer, and to tell at the end of an answer whether it is right and whether all else it says
is, and at the end of a sentence whether it is true. It tells in the first coordinates of its hidden states: the new
head that a reward model starts with finds this knowledge there in a few hundred pairs.

Made by `python jobs/pretrain_tiny.py OUTPUT` in {made}, with `{settings}`.

Greedy answers to questions about scenes that were not in the training; "two images" asks which of two images fits a
caption, so that guessing gives 0.5.

| family | language | questions | accuracy |
|---|---|---|---|
{rows}
| all | | {asked} | {share:.3f} |
"""
