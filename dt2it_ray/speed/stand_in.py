"""Rows and an engine of known cost, so that what a benchmark sees beyond that cost is ours."""

import random
import time
from collections.abc import Iterator, Mapping

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.ids import content_id
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import BatchFn, LoadStage, MapStage, Outcome, Placement, Step, Workplace
from dt2it_ray.store.files import Folder

ASKED = pa.schema([("prompt_id", pa.string()), ("question", pa.string()), ("image", pa.binary())])
ANSWERED = pa.schema(
    [("prompt_id", pa.string()), ("answer", pa.string()), ("began", pa.float64()), ("ended", pa.float64())]
)
"""`began` and `ended` are the moments (Unix seconds) of the call that answered the row."""
WORDS = ("red", "boat", "on", "this", "lake", "and", "how", "many", "people", "are", "there", "in", "which", "light")
ROWS_PER_OUTCOME = 2048


class RowsSettings(Settings):
    """How many prompts there are, and how heavy."""

    rows: int = Field(default=200_000, ge=1)
    image_bytes: int = Field(default=5_000, ge=0)
    """Of incompressible bytes, as encoded images are."""
    seed: int = 0


class EngineTime(Settings):
    """What a call of the stand-in engine costs, whatever the rows."""

    service_s: float = Field(default=0.12, ge=0)
    """Seconds asleep per batch."""


def write_rows(folders: Mapping[str, Folder], settings: RowsSettings) -> Iterator[Outcome]:
    """Prompts of a question of 20 words and an image each."""
    draw = random.Random(settings.seed)
    asked = questions(settings.rows, settings.seed)
    for start in range(0, settings.rows, ROWS_PER_OUTCOME):
        places = range(start, min(settings.rows, start + ROWS_PER_OUTCOME))
        rows = {
            "prompt_id": [content_id("speed", settings.seed, place) for place in places],
            "question": asked[places.start : places.stop],
            "image": [draw.randbytes(settings.image_bytes) for _ in places],
        }
        yield Outcome(pa.table(rows, schema=ASKED))


def questions(number: int, seed: int = 0) -> list[str]:
    """Questions of 20 words each, all of them different in all likelihood."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=20)) for _ in range(number)]


def build_stand_in(settings: EngineTime, place: Workplace) -> BatchFn:
    """A function that sleeps, then answers."""
    return lambda batch: answer_after(batch, settings.service_s)


def answer_after(batch: pa.Table, service_s: float) -> Outcome:
    """An answer to each row, after the engine's time."""
    began = time.time()
    time.sleep(service_s)
    ended = time.time()
    answers = pa.table(
        {
            "prompt_id": batch["prompt_id"],
            "answer": batch["question"],
            "began": [began] * batch.num_rows,
            "ended": [ended] * batch.num_rows,
        },
        schema=ANSWERED,
    )
    return Outcome(answers, metrics={"calls": 1, "service_s": ended - began})


ROWS = LoadStage(name="rows", version=1, writes=ASKED, load=write_rows)
STAND_IN = MapStage(name="stand_in", version=1, reads=ASKED, writes=ANSWERED, build=build_stand_in)


def rows_step(settings: RowsSettings) -> Step:
    """The step that writes the rows."""
    return Step(name="rows", stage=ROWS, settings=settings)


def stand_in_step(rows: Step, settings: EngineTime, placement: Placement) -> Step:
    """The step that has the rows answered."""
    return Step(name="answers", stage=STAND_IN, settings=settings, inputs={"rows": rows}, placement=placement)
