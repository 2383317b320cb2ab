"""What a model is told that writes an answer once more so that the picture contradicts it."""

from dt2it_ray.data.chat import Message, user_turn
from dt2it_ray.models.judging.material import as_material
from dt2it_ray.models.prompt_template import mark_code, prompt_template


def contradiction_message(template: str, language: str, images: int, question: str, answer: str) -> Message:
    """The user turn that asks for the contradicted answer; the images are those of the question."""
    text = prompt_template("dt2it_ray.models.degrading", template, language).render(
        images=images,
        question=as_material(question),
        answer=as_material(answer),
        code=mark_code(question, answer),
    )
    return user_turn(text, images)
