"""What a chat model is told that judges answers: a template file, with all that is judged set apart as material."""

import functools
import importlib.resources

import jinja2

from dt2it_ray.data.chat import Message, user_turn
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.reply_form import ReplyForm
from dt2it_ray.models.judging.material import as_material
from dt2it_ray.models.protocols import JudgeRequest

CODE_LENGTH = 12
"""Hex digits in the marks around material. No material can contain them: they are a hash of it."""
AGAIN = {
    "en": "Your reply cannot be used: {trouble}. Reply again with the whole JSON object and nothing else.",
    "zh": "你的回复无法使用：{trouble}。请重新回复完整的 JSON 对象，不要有其他内容。",
}


def judge_messages(request: JudgeRequest, template: str, form: ReplyForm) -> tuple[Message, ...]:
    """The conversation that asks for a reply of a form; after a refused one, that reply and what was wrong with it
    too."""
    text = _template(template, request.language).render(
        images=len(request.images),
        question=as_material(request.question),
        reference=as_material(request.reference),
        answers=[as_material(answer) for answer in request.answers],
        code=content_id("marks", request.question, request.reference, *request.answers)[:CODE_LENGTH],
        form=form.pattern,
    )
    asked = user_turn(text, len(request.images))
    if request.refused is None:
        return (asked,)
    again = as_material(AGAIN[request.language].format(trouble=request.refused.trouble))
    said = as_material(request.refused.text)
    return asked, {"role": "assistant", "content": said}, {"role": "user", "content": again}


@functools.cache
def _template(name: str, language: str) -> jinja2.Template:
    folder = importlib.resources.files("dt2it_ray.models.judging") / "templates"
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((folder / f"{name}.{language}.txt").read_text(encoding="utf-8"))
