"""What a model is told that writes an answer once more so that the picture contradicts it."""

import functools
import importlib.resources

import jinja2

from dt2it_ray.data.chat import Message, user_turn
from dt2it_ray.data.ids import content_id
from dt2it_ray.models.judging.material import as_material

CODE_LENGTH = 12
"""Hex digits in the marks around question and answer, which cannot contain them: they are a hash of both."""


def contradiction_message(template: str, language: str, images: int, question: str, answer: str) -> Message:
    """The user turn that asks for the contradicted answer; the images are those of the question."""
    text = _template(template, language).render(
        images=images,
        question=as_material(question),
        answer=as_material(answer),
        code=content_id("marks", question, answer)[:CODE_LENGTH],
    )
    return user_turn(text, images)


@functools.cache
def _template(name: str, language: str) -> jinja2.Template:
    folder = importlib.resources.files("dt2it_ray.models.degrading") / "templates"
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((folder / f"{name}.{language}.txt").read_text(encoding="utf-8"))
