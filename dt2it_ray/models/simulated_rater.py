"""A rater of the embedded world: it is told the planted truth and rates as an annotator of set reliability."""

from collections.abc import Sequence

from dt2it_ray.data.scenes.annotator import AnnotatorSettings, Sheet
from dt2it_ray.data.scenes.rater import rate
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.protocols import JudgeRequest


class SimulatedRater:
    """Implements `Judge` with granular ratings. Raters of different names err independently."""

    def __init__(self, name: str, settings: AnnotatorSettings) -> None:
        self.name = name
        self._settings = settings

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str]:
        """One reply per request, each a function of its request, the name and the settings alone.

        Raises:
            StageFailed: a request comes without planted truth.
            InputError: the planted truth of a request cannot be read.
        """
        return [rate(self._settings, self.name, _sheet(request), request.attempt) for request in requests]


def _sheet(request: JudgeRequest) -> Sheet:
    if request.scene is None:
        raise StageFailed(
            f"the simulated rater was asked about {request.key!r}, which has no planted truth (null `scene`); "
            "rows from outside the embedded world need a chat model: set the `engine` of the rater"
        )
    return Sheet(Truth.from_json(request.scene), request.question, request.language, request.answers, request.reference)
