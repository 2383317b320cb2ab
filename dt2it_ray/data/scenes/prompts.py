"""How a prompt of the embedded world is drawn from a seed, and the row that it becomes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.scenes.claims import FAMILIES
from dt2it_ray.data.scenes.questions import Question, sample_questions
from dt2it_ray.data.scenes.render import render
from dt2it_ray.data.scenes.scene import Scene, drawer, sample_scene
from dt2it_ray.data.scenes.truth import Truth

CHINESE_SHARE = 0.28


@dataclass(frozen=True)
class Asked:
    """A scene and a question about it. `seed` is where both, and all that is written about them, come from."""

    seed: str
    scene: Scene
    question: Question

    def truth_json(self) -> str:
        """The planted truth as the `scene` column holds it."""
        return Truth((self.scene,), self.question.claim(self.question.value)).to_json()


def draw_language(seed: str) -> str:
    """`zh` for `CHINESE_SHARE` of the seeds, else `en`."""
    return "zh" if drawer("language", seed).random() < CHINESE_SHARE else "en"


def draw_prompt(seed: str, families: Collection[str] = FAMILIES) -> Asked:
    """The prompt of a seed, about one of the families. Scenes without a question of theirs are drawn again."""
    language, attempt = draw_language(seed), 0
    while True:
        scene = sample_scene(f"{seed} {attempt}")
        fitting = [
            question
            for question in sample_questions(scene, seed, language, len(FAMILIES))
            if question.family in families
        ]
        if fitting:
            return Asked(seed, scene, fitting[0])
        attempt += 1


def prompt_row(
    prompt: str,
    source: str,
    asked: Asked,
    answers: Sequence[Mapping[str, Any]] = (),
    labels: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The row of PROMPTS for a prompt: its picture, question and planted truth, with answers and labels if any."""
    return {
        "prompt_id": prompt,
        "source": source,
        "category": asked.question.family,
        "language": asked.question.language,
        "images": [{"bytes": render(asked.scene), "path": None}],
        "history": None,
        "question": asked.question.text,
        "reference": None,
        "scene": asked.truth_json(),
        "answers": list(answers),
        "labels": list(labels),
    }


def distill_row(prompt: str, source: str, seed: int, number: int) -> dict[str, Any]:
    """The row of a prompt that waits for candidates: no answers, no labels."""
    return prompt_row(prompt, source, draw_prompt(f"distill {source} {seed} {number}"))
