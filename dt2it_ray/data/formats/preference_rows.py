"""How rows of this package's tables say what outside rows say: PREFERENCES become `Preference`, histories turns."""

from collections.abc import Mapping, Sequence
from typing import Any

from dt2it_ray.data.formats.preference import Preference, Turn


def turns_of(history: Sequence[Mapping[str, Any]] | None) -> tuple[Turn, ...]:
    """The turns of a column `history`, which may be null."""
    return tuple(Turn(turn["role"], turn["text"], turn["images"] or 0) for turn in history or ())


def history_of(turns: Sequence[Turn]) -> list[dict[str, Any]] | None:
    """The column `history` of turns; null if there are none."""
    return [{"role": turn.role, "text": turn.text, "images": turn.images} for turn in turns] or None


def preference_of(row: Mapping[str, Any]) -> Preference:
    """What a row of PREFERENCES or INGESTED says."""
    return Preference(
        question=row["question"],
        chosen=row["chosen"],
        rejected=row["rejected"],
        images=tuple(row["images"]),
        history=turns_of(row["history"]),
        strength=row["strength"],
        reference=row.get("reference"),
        category=row.get("category"),
        item=row.get("item"),
        chosen_origin=row["chosen_origin"],
        rejected_origin=row["rejected_origin"],
        source=row["source"],
        chosen_critique=row.get("chosen_critique"),
        rejected_critique=row.get("rejected_critique"),
    )
