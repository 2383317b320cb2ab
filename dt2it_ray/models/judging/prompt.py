"""What a chat model is told that judges answers: a template file, with all that is judged set apart as material."""

from dt2it_ray.data.chat import Message, user_turn
from dt2it_ray.data.reply_form import ReplyForm
from dt2it_ray.models.judging.material import as_material
from dt2it_ray.models.prompt_template import mark_code, prompt_template
from dt2it_ray.models.protocols import JudgeRequest

AGAIN = {
    "en": "Your reply cannot be used: {trouble}. Reply again with the whole JSON object and nothing else.",
    "zh": "你的回复无法使用：{trouble}。请重新回复完整的 JSON 对象，不要有其他内容。",
}


def judge_messages(request: JudgeRequest, template: str, form: ReplyForm) -> tuple[Message, ...]:
    """The conversation that asks for a reply of a form; after a refused one, that reply and what was wrong with it
    too."""
    text = prompt_template("dt2it_ray.models.judging", template, request.language).render(
        images=len(request.images),
        question=as_material(request.question),
        reference=as_material(request.reference),
        answers=[as_material(answer) for answer in request.answers],
        code=mark_code(request.question, request.reference, *request.answers),
        form=form.pattern,
    )
    asked = user_turn(text, len(request.images))
    if request.refused is None:
        return (asked,)
    again = as_material(AGAIN[request.language].format(trouble=request.refused.trouble))
    said = as_material(request.refused.text)
    return asked, {"role": "assistant", "content": said}, {"role": "user", "content": again}
