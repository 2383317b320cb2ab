"""Which of two answers a judge's free text prefers, by the rule with which each benchmark reads its judges."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.reply_fields import Refused

VL_VERDICT = re.compile(
    r"(?:Overall Judgment|Therefore)\s*.*\s*-*\s*Answer\s*(\d+)\s*is\s*(?:the\s*)?(?:slightly\s*)?better"
)
"""The rule of inference_hf.py of vl-rewardbench/VL_RewardBench, on a text without line breaks and asterisks."""


@dataclass(frozen=True)
class PairVerdict:
    """The answer that a judge prefers, as the place at which it was shown."""

    better: int
    """0 for the first answer shown, 1 for the second."""
    faults: tuple[Fault, ...] = ()


def numbered_verdict(text: str, shown: Sequence[str] = ()) -> PairVerdict | Refused:
    """The answer whose number follows "Overall Judgment" or "Therefore": VL-RewardBench."""
    found = VL_VERDICT.search(text.replace("\n", "").replace("*", ""))
    if found is None or found.group(1) not in ("1", "2"):
        return Refused((Fault.MISSING_FIELD,), 'no "Overall Judgment - Answer X is better" with X = 1 or 2')
    return PairVerdict(int(found.group(1)) - 1)


def lettered_verdict(text: str, shown: Sequence[str] = ()) -> PairVerdict | Refused:
    """[[A]] wherever it stands, else [[B]]: 2_get_accuracy.py of multimodal_rewardbench, which flips a coin for a text
    with neither; here it has no verdict."""
    for place, letter in enumerate("AB"):
        if f"[[{letter}]]" in text:
            return PairVerdict(place)
    return Refused((Fault.MISSING_FIELD,), "neither [[A]] nor [[B]]")


VERDICT_RULES: dict[str, Callable[[str, Sequence[str]], PairVerdict | Refused]] = {
    "vl_rewardbench": numbered_verdict,
    "multimodal_rewardbench": lettered_verdict,
}
"""By the name of the protocol."""
