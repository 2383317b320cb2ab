"""How rows that `dt2it ingest` left in a folder of its own become the first step of another run."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.critiques import CRITIQUE_COLUMNS
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ingested import INGESTED
from dt2it_ray.data.schema import DropReason
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingested import parts_of
from dt2it_ray.stages.stage import LoadStage, Outcome
from dt2it_ray.store.files import Folder

NOT_EMBEDDED = "field images: the data set was ingested without its images; ingest it again with images=embed"


class AdoptedRows(Settings):
    """Rows of a finished ingestion, by what made them: moving them changes nothing."""

    data: str = Field(exclude=True)
    """Folder of the step's files."""
    fingerprint: str
    """Of the step that wrote them."""


def load_adopted(folders: Mapping[str, Folder], settings: AdoptedRows) -> Iterator[Outcome]:
    """Rows of INGESTED, part by part; one with an image that is not in the data set is refused.

    Raises:
        StoreError: a file is missing or damaged.
    """
    data = Folder(settings.data)
    for name in parts_of(data):
        rows = _with_critiques(data.read_table(name)).select(INGESTED.names).cast(INGESTED)
        lacking = _lacking(rows)
        refused = rows.filter(lacking).select(["row_id", "question"]).to_pylist()
        told = (Dropped(DropReason.IMAGE_MISSING, NOT_EMBEDDED, row["question"]).row(row["row_id"]) for row in refused)
        yield Outcome(rows.filter(pc.invert(lacking)), dropped_table(told))


def _with_critiques(rows: pa.Table) -> pa.Table:
    """Rows of an ingestion that was made before they had these columns have none."""
    for name in CRITIQUE_COLUMNS:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows


def _lacking(rows: pa.Table) -> pa.Array:
    """Whether any image of a row has no bytes."""
    images = rows["images"].combine_chunks()
    empty = pc.is_null(pc.struct_field(pc.list_flatten(images), "bytes"))
    missing = pc.unique(pc.filter(pc.list_parent_indices(images), empty))
    return pc.is_in(pa.array(range(rows.num_rows), missing.type), value_set=missing)


LOAD_ADOPTED = LoadStage(name="adopted", version=2, writes=INGESTED, load=load_adopted)
