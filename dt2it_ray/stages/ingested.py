"""How the rows that are left of an outside data set are stored, and how they become prompts with labelled answers."""

import functools
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ingested import INGESTED, REFUSED_ROWS
from dt2it_ray.rules.preference_figures import PreferenceFigures
from dt2it_ray.stages.stage import LoadStage, NoSettings, Outcome
from dt2it_ray.store.files import Folder

EVIDENCE = ("question", "chosen", "rejected")


def parts_of(folder: Folder) -> list[str]:
    """The sealed parts in the data folder of a finished step, in order."""
    return [name for name in folder.names() if name.endswith(".parquet")]


def keep_rows(folders: Mapping[str, Folder], settings: NoSettings) -> Iterator[Outcome]:
    """The rows that nothing refused, part by part, and the others with the reason; at the end the figures of those."""
    repeats = folders["repeats"]
    refused = pa.concat_tables([repeats.read_table(name).cast(REFUSED_ROWS) for name in parts_of(repeats)])
    figures = PreferenceFigures()
    for rows in _read_ahead(folders["rows"]):
        place = pc.index_in(rows["row_id"], value_set=refused["row_id"].combine_chunks())
        kept = rows.filter(pc.is_null(place)) if place.null_count < rows.num_rows else rows
        figures.add(kept)
        yield Outcome(kept, _dropped(rows.filter(pc.is_valid(place)), refused.take(place.drop_null())))
    yield Outcome(INGESTED.empty_table(), metrics=figures.told())


def _read_ahead(folder: Folder) -> Iterator[pa.Table]:
    """The parts of a step, of which the next is read while one is written: neither holds the interpreter's lock."""
    with ThreadPoolExecutor(1) as reader:
        read = functools.partial(folder.read_table, columns=INGESTED.names)
        coming = None
        for name in parts_of(folder):
            here, coming = coming, reader.submit(read, name)
            if here is not None:
                yield here.result().select(INGESTED.names).cast(INGESTED)
        if coming is not None:
            yield coming.result().select(INGESTED.names).cast(INGESTED)


def _dropped(rows: pa.Table, refused: pa.Table) -> pa.Table:
    texts = rows.select(EVIDENCE).to_pylist()
    return dropped_table(
        Dropped(refusal["reason"], refusal["detail"], json.dumps(text, ensure_ascii=False)).row(refusal["row_id"])
        for text, refusal in zip(texts, refused.to_pylist(), strict=True)
    )


KEEP_ROWS = LoadStage(name="ingested", version=2, writes=INGESTED, load=keep_rows)
