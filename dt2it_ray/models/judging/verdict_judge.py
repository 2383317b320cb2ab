"""A judge that is a chat model and says in its own words which of two answers is better."""

from collections.abc import Sequence

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.judging.material import as_material
from dt2it_ray.models.prompt_template import mark_code, prompt_template
from dt2it_ray.models.protocols import GenerationRequest, Generator, JudgeRequest

TEMPLATES = {"vl_rewardbench": "pair-numbers-1", "multimodal_rewardbench": "pair-letters-1"}
"""What the judge is told, by protocol. The wording is ours; the form of the verdict is the benchmark's."""


class VerdictJudge:
    """Implements `Judge`: replies are free text that ends with a verdict, if the model does as told."""

    def __init__(self, name: str, generator: Generator, protocol: str) -> None:
        self.name = name
        self._generator, self._template = generator, TEMPLATES[protocol]

    @property
    def usage(self) -> object | None:
        """What its engine counts, if it does."""
        return getattr(self._generator, "usage", None)

    def close(self) -> None:
        """Let the engine go, if it holds anything."""
        getattr(self._generator, "close", lambda: None)()

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str | Dropped]:
        """One reply per request, or why the engine has none."""
        made = self._generator.generate([self._request(request) for request in requests])
        return [one if isinstance(one, Dropped) else one[0].text for one in made]

    def _request(self, request: JudgeRequest) -> GenerationRequest:
        text = prompt_template("dt2it_ray.models.judging", self._template, request.language).render(
            images=len(request.images),
            question=as_material(request.question),
            answers=[as_material(answer) for answer in request.answers],
            code=mark_code(request.question, *request.answers),
        )
        key = f"{self.name} {request.key} {request.attempt}"
        return GenerationRequest(key, (user_turn(text, len(request.images)),), request.images, samples=1)
