"""A judge of the embedded world: it is told the planted truth and replies as an annotator of set reliability."""

from collections.abc import Callable, Sequence

from dt2it_ray.data.scenes.annotator import AnnotatorSettings, Sheet, annotate
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.protocols import JudgeRequest

FillForm = Callable[[AnnotatorSettings, str, Sheet, int], str]
"""The reply of an annotator of some name to a sheet, in an attempt."""


class SimulatedJudge:
    """Implements `Judge`. Judges of different names err independently."""

    def __init__(self, name: str, settings: AnnotatorSettings, fill: FillForm = annotate) -> None:
        """`fill` decides which form the replies have; the rubric by default."""
        self.name = name
        self._settings, self._fill = settings, fill

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str]:
        """One reply per request, each a function of its request, the name and the settings alone.

        Raises:
            StageFailed: a request comes without planted truth.
            InputError: the planted truth of a request cannot be read.
        """
        return [self._fill(self._settings, self.name, self._sheet(request), request.attempt) for request in requests]

    def _sheet(self, request: JudgeRequest) -> Sheet:
        if request.scene is None:
            raise StageFailed(
                f"the simulated judge {self.name!r} was asked about {request.key!r}, which has no planted truth (null "
                "`scene`); rows from outside the embedded world need a real judge: set the `engine` of this one"
            )
        truth = Truth.from_json(request.scene)
        return Sheet(truth, request.question, request.language, request.answers, request.reference)
