"""How many rows a step may lose, and which of them are asked for again rather than lost."""

from collections.abc import Mapping, Sequence

from dt2it_ray.data.dropped import ASKED_AGAIN
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed
from dt2it_ray.stages.stage import UNANSWERED, Placement, Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.parts import DROPPED, Seal


def unanswered(seal: Seal) -> int:
    """How many requests of a part a server failed to answer."""
    dropped = sum(count for reason, count in seal.reasons.items() if reason in ASKED_AGAIN)
    # A row is asked about several times at most, and need not be dropped when one of its replies is missing.
    return max(dropped, int(seal.metrics.get(UNANSWERED, 0)))


def waits(step: Step, seal: Seal) -> bool:
    """Whether a sealed part has to be made again, as a server failed to answer some of its requests."""
    is_accepted = isinstance(step.placement, Placement) and step.placement.accept_unanswered
    return unanswered(seal) > 0 and not is_accepted


def refuse_waiting(step: Step, seals: Sequence[Seal]) -> None:
    """Raises StageFailed if parts of the step wait to be made again."""
    waiting = sum(unanswered(seal) for seal in seals if waits(step, seal))
    if not waiting:
        return
    raise StageFailed(
        f"step {step.name}: {waiting} requests wait, which the server failed to answer. See that it answers and run "
        "again: then only they are asked, as all other replies are kept (with cache: null, all rows of their parts). "
        f"To go on without them, set placement.{step.stage.name}.accept_unanswered=true and run again."
    )


def refuse_too_many_dropped(step: Step, data: Folder, reasons: Mapping[str, int], rows: int) -> None:
    """Raises StageFailed if more are dropped, of a step that reads so many rows, than its place allows."""
    limit, dropped = step.placement.max_dropped, sum(reasons.values())
    # That several pairs have one prompt is no fault of their data set.
    faults = dropped - reasons.get(DropReason.PROMPT_REPEATED, 0)
    if not rows or faults <= limit * rows:
        return
    waiting = sum(count for reason, count in reasons.items() if reason in ASKED_AGAIN)
    again = f" {waiting} of them wait for the server and are asked again by the next run." if waiting else ""
    raise StageFailed(
        f"step {step.name} dropped {dropped} of {rows} rows ({dict(reasons)}), more than max_dropped={limit}.{again} "
        f"The refused rows are in {data.path(DROPPED)} and, those of parts that are not finished, in "
        f"{data.path('pieces')}. Mend what is wrong and delete {data.uri} to have it made anew, or raise max_dropped "
        "and run again: then no finished part is made twice."
    )
