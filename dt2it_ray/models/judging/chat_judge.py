"""A judge that is a chat model behind any engine."""

from collections.abc import Sequence

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.rubric_form import reply_schema
from dt2it_ray.models.judging.prompt import judge_messages
from dt2it_ray.models.protocols import GenerationRequest, Generator, JudgeRequest


class ChatJudge:
    """Implements `Judge`. Whatever the model replies is text to be checked, not to be trusted."""

    def __init__(self, name: str, generator: Generator, template: str) -> None:
        self.name = name
        self._generator, self._template = generator, template

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
                messages=judge_messages(request, self._template),
                images=request.images,
                samples=1,
                schema=reply_schema(len(request.answers)),
            )
            for request in requests
        ]
        made = self._generator.generate(asked)
        return [one if isinstance(one, Dropped) else one[0].text for one in made]
