"""Which pairs the report shows in full: a few of every fate, mistakes included, drawn by id: nobody picks them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.schema import Action
from dt2it_ray.pipeline.row_lookup import rows_where
from dt2it_ray.pipeline.run_record import RunRecord
from dt2it_ray.report.content import Example

PER_FATE = 2
FATES = (
    ("A wrong label, flipped", Action.FLIPPED, True),
    ("A wrong label, dropped", Action.DROPPED, True),
    ("A wrong label, missed", Action.KEPT, True),
    ("A right label, flipped by mistake", Action.FLIPPED, False),
    ("A right label, dropped by mistake", Action.DROPPED, False),
    ("A right label, kept", Action.KEPT, False),
    ("Flipped, truth not known", Action.FLIPPED, None),
    ("Dropped, truth not known", Action.DROPPED, None),
    ("Kept, truth not known", Action.KEPT, None),
)
"""Heading, what was done, and whether the label was planted wrong (None: nobody knows)."""


def example_pairs(record: RunRecord, iteration: str, decisions: pa.Table) -> Sequence[Example]:
    """Up to `PER_FATE` pairs of every fate of one iteration with images, answers and evidence."""
    fates = {pair: fate for fate, action, planted in FATES for pair in _drawn(decisions, action, planted)}
    pool = record.source_of("open/pairs", "rows")
    if not fates or pool is None:
        return []
    evidence = rows_where(record.run, record.manifests[f"{iteration}/decisions"], "pair_id", fates)
    prompts = rows_where(record.run, pool, "prompt_id", {row["prompt_id"] for row in evidence})
    by_prompt, by_pair = {row["prompt_id"]: row for row in prompts}, {row["pair_id"]: row for row in evidence}
    found = [(fate, by_pair[pair]) for pair, fate in fates.items()]
    return [_example(fate, row, by_prompt[row["prompt_id"]]) for fate, row in found if row["prompt_id"] in by_prompt]


def _drawn(decisions: pa.Table, action: Action, planted: bool | None) -> list[str]:
    """The first pair ids of one fate. Ids are content hashes, so that the first are as good as drawn."""
    truth = decisions["planted_flip"]
    alike = pc.is_null(truth) if planted is None else pc.fill_null(pc.equal(truth, planted), False)
    pairs = decisions.filter(pc.and_(pc.equal(decisions["action"], action), alike))["pair_id"]
    return sorted(pairs.to_pylist())[:PER_FATE]


def _example(fate: str, row: Mapping[str, Any], prompt: Mapping[str, Any]) -> Example:
    texts = {answer["answer_id"]: answer["text"] for answer in prompt["answers"]}
    sides = [row["chosen_id"], row["rejected_id"]]
    labelled, other = (texts.get(side, "(not found)") for side in (sides[::-1] if row["flipped"] else sides))
    return Example(
        fate=fate,
        pair_id=row["pair_id"],
        source=row["source"],
        category=prompt["category"] or "",
        action=row["action"],
        rule=row["rule"],
        images=[image["bytes"] for image in prompt["images"] or []],
        question=prompt["question"],
        labelled=labelled,
        other=other,
        evidence=_evidence(row),
    )


def _evidence(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what was known when the pair was decided; strengths are told from the source's label."""
    voters = ", ".join(_signed(strength) for strength in row["voter_strengths"] or [])
    lines = [
        ("Voters", f"{voters}; mean {_signed(row['vote_strength'])}" if voters else "none"),
        ("Flip threshold", _signed(row["flip_threshold"])),
        ("After the vote", "flipped" if row["flipped_by_vote"] else "as labelled"),
        ("Consistency model", _signed(row["consistency_strength"])),
    ]
    if row["valid_votes"] is None:
        return [*lines, ("Judges", "not asked")]
    votes = f"{row['votes_chosen']:g} for the label, {row['votes_rejected']:g} against"
    return [*lines, ("Judges", f"{votes} ({row['valid_votes']} valid)")]


def _signed(strength: float | None) -> str:
    return "unknown" if strength is None else f"{strength:+.2f}"
