"""What an annotator sees in an answer: its grade, with errors that come again when the answer is shown again."""

from dataclasses import dataclass

from dt2it_ray.data.ids import unit_interval
from dt2it_ray.data.scenes.grading import Grade

_OPPOSITE = {"right": "wrong", "wrong": "right", "missing": "missing"}


@dataclass(frozen=True)
class Perceived:
    """What the main claim is taken for, and how many further claims are taken for true and for false."""

    main: str
    extra_right: int
    extra_wrong: int


def perceive(grade: Grade, answer: str, view: str, error_rate: float, shared: float) -> Perceived:
    """The grade of the answer named `answer` as it is seen in `view`.

    With chance `error_rate` a main claim that is right or wrong is seen as the opposite, and with the same chance one
    further claim is. The `shared` part of these chances falls alike in every view of the answer.
    """
    main = _OPPOSITE[grade.main] if _errs("main", answer, view, error_rate, shared) else grade.main
    right, wrong = grade.extra_right, grade.extra_wrong
    if right + wrong and _errs("extra", answer, view, error_rate, shared):
        step = 1 if wrong else -1
        right, wrong = right + step, wrong - step
    return Perceived(main, right, wrong)


def _errs(what: str, answer: str, view: str, error_rate: float, shared: float) -> bool:
    is_shared = unit_interval("error is shared", what, answer) < shared
    return unit_interval("error", what, answer, "" if is_shared else view) < error_rate
