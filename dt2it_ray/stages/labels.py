"""How the labels that prompt rows carry become a narrow table of pairs."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.schema import PAIRS, PROMPTS
from dt2it_ray.stages.stage import GatherStage, NoSettings, Outcome


def explode_labels(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """One row per label of every prompt, without a strength: nobody measured it."""
    rows = tables["rows"].combine_chunks()
    parents = pc.list_parent_indices(rows["labels"].combine_chunks())
    labels = pa.Table.from_struct_array(rows["labels"].combine_chunks().flatten())
    pairs = labels.append_column("prompt_id", rows["prompt_id"].take(parents))
    pairs = pairs.append_column("source", rows["source"].take(parents))
    pairs = pairs.append_column("strength", pa.nulls(pairs.num_rows, pa.float64()))
    return Outcome(pairs.select(PAIRS.names))


LABELS_OF_PROMPTS = pa.schema([PROMPTS.field(name) for name in ("prompt_id", "source", "labels")])
LABELS = GatherStage(name="labels", version=1, reads={"rows": LABELS_OF_PROMPTS}, writes=PAIRS, decide=explode_labels)
