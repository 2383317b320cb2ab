"""How many rows a step may lose, and which of them are asked for again rather than lost."""

import json
from collections.abc import Mapping, Sequence

from dt2it_ray.data.dropped import ASKED_AGAIN
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed
from dt2it_ray.pipeline.run_settings import placement_keys
from dt2it_ray.stages.stage import UNANSWERED, Placement, Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.parts import DROPPED, Seal

OF_REPLIES = frozenset({DropReason.REPLY_INVALID, DropReason.TOO_FEW_ANSWERS})
"""Reasons that stand in replies, which are kept."""

KEPT = (
    " (replies are kept and not asked for again: if the model behind an engine was wrong, give its settings another "
    "`revision`, or delete `replies` in the run's folder, or its `cache`, too)"
)


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
        f"To go on without them, set {_accepting(step)} and run again."
    )


def _accepting(step: Step) -> str:
    """The setting that has the step accept what is unanswered, as YAML. It takes the place of any other for the stage,
    so that it says all that the step's place is."""
    key = placement_keys(step.name, step.stage.name)[0]
    place = {**step.placement.model_dump(mode="json", exclude_defaults=True), "accept_unanswered": True}
    return f"placement: {json.dumps({key: place})}"


def refuse_too_many_dropped(step: Step, data: Folder, reasons: Mapping[str, int], rows: int) -> None:
    """Raises StageFailed if more are dropped, of a step that reads so many rows, than its place allows."""
    limit, dropped = step.placement.max_dropped, sum(reasons.values())
    # That several pairs have one prompt is no fault of their data set.
    faults = dropped - reasons.get(DropReason.PROMPT_REPEATED, 0)
    if not rows or faults <= limit * rows:
        return
    waiting = sum(count for reason, count in reasons.items() if reason in ASKED_AGAIN)
    again = f" {waiting} of them wait for the server and are asked again by the next run." if waiting else ""
    kept = "" if OF_REPLIES.isdisjoint(reasons) else KEPT
    raise StageFailed(
        f"step {step.name} dropped {dropped} of {rows} rows ({dict(reasons)}), more than max_dropped={limit}.{again} "
        f"The refused rows are in {data.path(DROPPED)} and, those of parts that are not finished, in "
        f"{data.path('pieces')}. Mend what is wrong and delete {data.uri} to have it made anew{kept}, or raise "
        "max_dropped and run again: then no finished part is made twice."
    )
