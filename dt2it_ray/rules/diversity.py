"""Which prompts' answers are all good or all bad, and which texts may join them (arXiv 2604.19544)."""

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.answer_tables import NEEDS
from dt2it_ray.rules.near_duplicates import plain_text

REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:sorry|unable)\b|\bi (?:cannot|can't|can not|won't)\b|\bas an ai\b"
    r"|抱歉|对不起|无法|作为.{0,2}(?:人工智能|AI)",
    re.IGNORECASE,
)
REFUSAL_WITHIN = 40
"""A refusal stands among the first characters of a reply."""


@dataclass(frozen=True)
class Bounds:
    """Overall scores from which all answers count as good, and up to which all count as bad."""

    high: float
    low: float


def find_needs(candidates: pa.Table, overalls: pa.Table, bounds: Bounds) -> pa.Table:
    """NEEDS of every prompt of `candidates` (columns prompt_id, origins), sorted by prompt.

    `overalls` has a row per screened answer (prompt_id, overall). A prompt whose answers are all at `bounds.high` or
    above needs a worse one, if all are at `bounds.low` or below a better one. A single answer needs company in any
    case: a worse one, unless it is bad. Prompts that were not screened need nothing, as nobody knows what they lack.
    """
    spread = overalls.group_by("prompt_id", use_threads=False).aggregate([("overall", "min"), ("overall", "max")])
    prompts = candidates["prompt_id"].combine_chunks()
    place = pc.index_in(prompts, value_set=spread["prompt_id"].combine_chunks())
    lowest, highest = (spread[name].combine_chunks().take(place) for name in ("overall_min", "overall_max"))
    single = pc.equal(pc.list_value_length(candidates["origins"].combine_chunks()), 1)
    bad = pc.less_equal(highest, bounds.low)
    worse = pc.and_(pc.invert(bad), pc.or_(pc.greater_equal(lowest, bounds.high), single))
    need = pc.if_else(pc.fill_null(bad, False), "better", pc.if_else(pc.fill_null(worse, False), "worse", "none"))
    columns = {"prompt_id": prompts, "need": need, "lowest": lowest, "highest": highest}
    return pa.table(columns, schema=NEEDS).sort_by("prompt_id")


def is_usable_rewrite(original: str, rewritten: str, length_ratio: float) -> bool:
    """Whether a model did rewrite an answer: other words, no refusal, and at most `length_ratio` times as long or as
    short."""
    if not rewritten.strip() or plain_text(rewritten) == plain_text(original):
        return False
    if REFUSAL.search(rewritten[:REFUSAL_WITHIN]) and not REFUSAL.search(original):
        return False
    return 1 / length_ratio <= len(rewritten) / max(1, len(original)) <= length_ratio
