"""How text-to-image preferences become two-image pairs with exactly balanced positions (arXiv 2604.19544)."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dt2it_ray.data.chat import language_of
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ids import answer_id, pair_id
from dt2it_ray.data.images import BadImage, decode
from dt2it_ray.data.schema import PROMPTS, SIDES, T2I_ROWS, DropReason
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER, comparison_question
from dt2it_ray.rules.position import assign_first
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, NoSettings, Outcome, Workplace


class SideSettings(Settings):
    """How positions are assigned."""

    seed: int = 42
    """Other seeds give other, equally balanced positions."""


def build_check(settings: NoSettings, place: Workplace) -> BatchFn:
    """A function that refuses text-to-image rows without two sound images, before positions are balanced."""
    return _check


def _check(batch: pa.Table) -> Outcome:
    faults = [(row["prompt_id"], find_fault(row)) for row in batch.to_pylist()]
    refused = [fault.row(prompt) for prompt, fault in faults if fault]
    sound = pa.array([fault is None for _, fault in faults], pa.bool_())
    return Outcome(batch.select(NAMES.names).filter(sound), dropped_table(refused))


def find_fault(row: Mapping[str, Any]) -> Dropped | None:
    """Why a text-to-image row cannot be used, if it cannot."""
    if len(row["images"]) != 2:
        return Dropped(DropReason.IMAGE_MISSING, f"a T2I row needs two images, this one has {len(row['images'])}")
    for place, image in zip(("preferred", "other"), row["images"], strict=True):
        try:
            decode(image["bytes"])
        except BadImage as error:
            return Dropped(DropReason.IMAGE_UNDECODABLE, f"the {place} image: {error}", row["caption"])
    return None


def assign_sides(tables: Mapping[str, pa.Table], settings: SideSettings) -> Outcome:
    """In every data set exactly floor(n / 2) rows show the preferred image first."""
    rows = tables["rows"]
    first = assign_first(rows["prompt_id"], rows["source"], settings.seed)
    sides = rows.select(["prompt_id", "source"]).append_column("chosen_first", first)
    return Outcome(sides, metrics={"rows": rows.num_rows, "chosen_first": int(sum(first.to_pylist()))})


def build_reformulation(settings: NoSettings, place: Workplace) -> BatchFn:
    """A function from text-to-image rows with assigned sides to prompts with two images and one label."""
    return _reformulate


def _reformulate(batch: pa.Table) -> Outcome:
    prompts = [reformulate_row(row) for row in batch.to_pylist()]
    return Outcome(pa.Table.from_pylist(prompts, schema=PROMPTS))


def reformulate_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The two-image prompt of one sound row: its images in the assigned order, the two fixed answers, the label."""
    prompt = row["prompt_id"]
    texts = (FIRST_BETTER, SECOND_BETTER)
    answers = [{"answer_id": answer_id(prompt, text), "text": text} for text in texts]
    chosen, rejected = answers if row["chosen_first"] else reversed(answers)
    label = {
        "pair_id": pair_id(row["source"], chosen["answer_id"], rejected["answer_id"]),
        "chosen_id": chosen["answer_id"],
        "rejected_id": rejected["answer_id"],
        "planted_flip": None,
    }
    return {
        "prompt_id": prompt,
        "source": row["source"],
        "category": "t2i",
        "language": language_of(row["caption"]),
        "images": row["images"] if row["chosen_first"] else row["images"][::-1],
        "history": None,
        "question": comparison_question(row["caption"]),
        "reference": None,
        "scene": None,
        "answers": answers,
        "labels": [label],
    }


NAMES = pa.schema([T2I_ROWS.field("prompt_id"), T2I_ROWS.field("source")])
CHECK = MapStage(
    name="check_t2i",
    version=1,
    reads=pa.schema([*NAMES, T2I_ROWS.field("caption"), T2I_ROWS.field("images")]),
    writes=NAMES,
    build=build_check,
)
ASSIGN_SIDES = GatherStage(name="sides", version=1, reads={"rows": NAMES}, writes=SIDES, decide=assign_sides)
REFORMULATE = MapStage(
    name="reformulate",
    version=3,
    reads=pa.schema([*T2I_ROWS, SIDES.field("chosen_first")]),
    writes=PROMPTS,
    build=build_reformulation,
)
