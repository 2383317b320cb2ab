"""How outside files of images and questions, or of labelled pairs, become prompts to construct pairs for."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import image_root, open_image
from dt2it_ray.data.formats.prompt_rows import read_prompts
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import BatchFn, LoadStage, MapStage, Outcome, Workplace
from dt2it_ray.store.files import Folder


class OutsideFile(Settings):
    """A file of rows, by its content: moving it changes nothing."""

    folder: str = Field(exclude=True)
    name: str = Field(exclude=True)
    sha256: str
    source: str
    """The data set's name in every row."""


class ImageRoot(Settings):
    """Where images lie that rows name by path. It counts: another folder has other images under the same names."""

    folder: str


def load_prompts(folders: Mapping[str, Folder], settings: OutsideFile) -> Iterator[Outcome]:
    """Prompts in file order; an image named by path has no bytes yet.

    Raises:
        InputError: the file is no list of records.
    """
    for batch in read_prompts(settings.source, read_records(Folder(settings.folder), settings.name)):
        yield Outcome(batch.rows, batch.dropped)


def build_opening(settings: ImageRoot, place: Workplace) -> BatchFn:
    """A function from prompts to prompts whose images have bytes that decode."""
    root = image_root(settings.folder, Folder)
    return lambda batch: open_images(batch, root)


def open_images(batch: pa.Table, root: Files) -> Outcome:
    """The prompts with their images; one with an image that is missing or broken is dropped."""
    rows, refused = [], []
    for row in batch.to_pylist():
        try:
            rows.append({**row, "images": [open_image(image, root) for image in row["images"] or ()]})
        except RowRefused as refusal:
            trouble = Dropped(refusal.reason, f"{refusal.where}: {refusal.problem}", row["question"])
            refused.append(trouble.row(row["prompt_id"]))
    return Outcome(pa.Table.from_pylist(rows, schema=PROMPTS), dropped_table(refused))


LOAD_PROMPTS = LoadStage(name="load_prompts", version=3, writes=PROMPTS, load=load_prompts)
OPEN_IMAGES = MapStage(name="open_images", version=2, reads=PROMPTS, writes=PROMPTS, build=build_opening)
