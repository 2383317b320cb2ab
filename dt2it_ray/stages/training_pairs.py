"""How ingested preferences become the table of pairs that a training reads, with the strengths that their rows tell."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dt2it_ray.data.critiques import CRITIQUE_COLUMNS, CRITIQUED_PAIRS
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ids import answer_id, content_id, pair_id
from dt2it_ray.data.schema import PAIRS, DropReason
from dt2it_ray.stages.ingested import parts_of
from dt2it_ray.stages.ingested_prompts import own_prompt
from dt2it_ray.stages.stage import LoadStage, NoSettings, Outcome
from dt2it_ray.store.files import Folder

HELD_OUT = "held_out"
"""The input whose pairs are kept from the others. Of prompts that both have, its rows are the first."""
COLUMNS = ["row_id", "prompt_id", "source", "chosen", "rejected", "strength"]


KEPT_APART = Dropped(DropReason.HELD_OUT, "whole row: the pair is among those to evaluate on")


def load_training_pairs(folders: Mapping[str, Folder], settings: NoSettings) -> Iterator[Outcome]:
    """Rows of PAIRS of the inputs `rows/NAME`, named as `load_ingested_prompts` names prompts and answers. Of a pair
    that comes again, in either direction, the first row counts, and the others are refused, as are pairs of whatever
    source that the input `held_out` has in either direction."""
    return _load(folders, PAIRS)


def _load(folders: Mapping[str, Folder], writes: pa.Schema) -> Iterator[Outcome]:
    beside = [name for name in CRITIQUE_COLUMNS if name in writes.names]
    owners: dict[str, str] = {}
    apart = _held_out(folders[HELD_OUT], owners) if HELD_OUT in folders else set()
    known: set[str] = set()
    for part in _named(folders, owners, beside):
        pairs, refused = [], []
        for row, pair in part:
            if apart and _content(row) in apart:
                refused.append(KEPT_APART.row(row["row_id"]))
            elif pair["pair_id"] in known:
                repeats = Dropped(DropReason.ROW_REPEATED, "whole row: an earlier row has this pair", row["chosen"])
                refused.append(repeats.row(row["row_id"]))
            else:
                known.add(pair["pair_id"])
                pairs.append(pair | {name: row[name] for name in beside})
        yield Outcome(pa.Table.from_pylist(pairs, schema=writes), dropped_table(refused))


def rows_of_pairs(folders: Mapping[str, Folder]) -> dict[str, str]:
    """The row_id of each pair that `load_training_pairs` makes of the same inputs, by pair_id."""
    owners: dict[str, str] = {}
    if HELD_OUT in folders:
        _held_out(folders[HELD_OUT], owners)
    told: dict[str, str] = {}
    for part in _named(folders, owners):
        for row, pair in part:
            told.setdefault(pair["pair_id"], row["row_id"])
    return told


def _named(
    folders: Mapping[str, Folder], owners: dict[str, str], beside: Sequence[str] = ()
) -> Iterator[list[tuple[dict[str, Any], dict[str, Any]]]]:
    """File by file, the rows that are not held out, each with its pair. `owners` is as in `own_prompt`."""
    for data_set in sorted(set(folders) - {HELD_OUT}):
        for name in parts_of(folders[data_set]):
            rows = folders[data_set].read_table(name, [*COLUMNS, *beside]).to_pylist()
            yield [(row, _pair(row, owners)) for row in rows]


def _held_out(folder: Folder, owners: dict[str, str]) -> set[str]:
    """The content of the pairs in a folder. `owners` is as in `own_prompt`."""
    found: set[str] = set()
    for name in parts_of(folder):
        for row in folder.read_table(name, COLUMNS).to_pylist():
            own_prompt(row["prompt_id"], row["source"], owners)
            found.add(_content(row))
    return found


def _content(row: Mapping[str, Any]) -> str:
    """A name of a pair by what it says, whatever its source and direction."""
    return content_id(row["prompt_id"], *sorted((row["chosen"], row["rejected"])))


def _pair(row: Mapping[str, Any], owners: dict[str, str]) -> dict[str, Any]:
    prompt = own_prompt(row["prompt_id"], row["source"], owners)
    chosen, rejected = (answer_id(prompt, row[side]) for side in ("chosen", "rejected"))
    return {
        "pair_id": pair_id(row["source"], chosen, rejected),
        "prompt_id": prompt,
        "chosen_id": chosen,
        "rejected_id": rejected,
        "source": row["source"],
        "strength": row["strength"],
        "planted_flip": None,
    }


def load_critiqued_pairs(folders: Mapping[str, Folder], settings: NoSettings) -> Iterator[Outcome]:
    """The same with what rows say of their answers, as rows of CRITIQUED_PAIRS."""
    return _load(folders, CRITIQUED_PAIRS)


LOAD_TRAINING_PAIRS = LoadStage(name="training_pairs", version=1, writes=PAIRS, load=load_training_pairs)
LOAD_CRITIQUED_PAIRS = LoadStage(
    name="critiqued_training_pairs", version=1, writes=CRITIQUED_PAIRS, load=load_critiqued_pairs
)
