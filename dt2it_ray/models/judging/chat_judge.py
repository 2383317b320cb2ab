"""A judge that is a chat model behind any engine."""

from collections.abc import Sequence

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.reply_form import ReplyForm
from dt2it_ray.data.rubric_form import RUBRIC
from dt2it_ray.models.judging.prompt import judge_messages
from dt2it_ray.models.protocols import GenerationRequest, Generator, JudgeRequest


class ChatJudge:
    """Implements `Judge`. Whatever the model replies is text to be checked, not to be trusted."""

    def __init__(self, name: str, generator: Generator, template: str, form: ReplyForm = RUBRIC) -> None:
        """The template asks for replies of the form, to which an engine that can be is held."""
        self.name = name
        self.calls_at_once: int = getattr(generator, "calls_at_once", 1)
        """Threads that may ask it at the same time."""
        self._generator, self._template, self._form = generator, template, form

    @property
    def usage(self) -> object | None:
        """What its engine counts, if it does."""
        return getattr(self._generator, "usage", None)

    def close(self) -> None:
        """Let the engine go, if it holds anything."""
        getattr(self._generator, "close", lambda: None)()

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str | Dropped]:
        """One reply per request, or why the engine has none."""
        asked = [
            GenerationRequest(
                key=f"{self.name} {request.key} {request.attempt}",
                messages=judge_messages(request, self._template, self._form),
                images=request.images,
                samples=1,
                schema=self._form.schema(len(request.answers)),
            )
            for request in requests
        ]
        made = self._generator.generate(asked)
        return [one if isinstance(one, Dropped) else one[0].text for one in made]
