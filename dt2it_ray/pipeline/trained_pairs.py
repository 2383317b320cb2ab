"""Which pairs a model of the loop was trained on, as preferences that stand for themselves."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.preferences import PREFERENCES
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import ConfigError, InputError, StoreError
from dt2it_ray.pipeline.run_record import ITERATION, RUN_FILE, RunRecord, read_run
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.stages.preferences import preference_of_pair
from dt2it_ray.store.files import ROWS_PER_SLICE, Folder
from dt2it_ray.store.manifest import Manifest

TRAIN = "/train"
"""How the names of steps that train a model end."""
PAIRS_AT_ONCE = 256
"""Preferences of a table: each holds the images of its prompt."""
COLUMNS = ["prompt_id", "source", "language", "images", "history", "question"]
Source = tuple[Manifest, Manifest]
"""The step with the prompts of some pairs, and the one with their answers, which may be the same."""


def trained_preferences(run: Folder, name: str) -> tuple[str, Iterator[pa.Table]] | None:
    """The model of that name (empty: of the last iteration) and the pairs that it was trained on, as `pairs_of_model`
    gives them; None for a folder that is no run of the loop.

    Raises:
        ConfigError: see `choose_model`.
    """
    record = read_run(run) if run.exists(RUN_FILE) else None
    if record is None or not models_of(record):
        return None
    model = choose_model(record, name)
    return model, pairs_of_model(record, model)


def models_of(record: RunRecord) -> list[str]:
    """The models that a run trains, in the order of its plan."""
    return [entry["step"].removesuffix(TRAIN) for entry in record.plan if entry["step"].endswith(TRAIN)]


def choose_model(record: RunRecord, name: str) -> str:
    """The model of that name whose pairs are there; without a name that of the last iteration.

    Raises:
        ConfigError: the run has no such model, or its pairs are not made yet.
    """
    models = models_of(record)
    ready = [model for model in models if record.source_of(f"{model}{TRAIN}", "pairs")]
    if name in ready:
        return name
    if name:
        problem = "its pairs are not made yet" if name in models else "the run has no such model"
        told = f"those with pairs are {', '.join(ready)}" if ready else "no model has pairs yet"
        raise ConfigError(f"pairs={name}: {problem}; {told}")
    iterations = sorted(model for model in ready if ITERATION.fullmatch(model))
    if not iterations:
        raise ConfigError(f"{record.run.path('')} has no pairs of an iteration yet; call `dt2it run` again to go on")
    return iterations[-1]


def pairs_of_model(record: RunRecord, model: str) -> Iterator[pa.Table]:
    """Every pair that `model` was trained on, as tables of PREFERENCES that keep the bytes of images.

    They come in the order of the rows that the training reads, source by source. Pairs are in memory as ids; texts and
    images for some prompts at a time.

    Raises:
        StoreError: rows that the training reads are not there or damaged. InputError: a pair names none of them.
    """
    pairs = record.source_of(f"{model}{TRAIN}", "pairs")
    assert pairs is not None
    left = read_rows(record.run, pairs, PAIRS.names)
    for prompts, answers in _sources(record, f"{model}{TRAIN}"):
        for place, file in enumerate(prompts.files):
            data = prompts.data(record.run)
            keys = data.read_table(file.name, ["prompt_id"])["prompt_id"]
            here = left.filter(pc.is_in(left["prompt_id"], value_set=keys.combine_chunks()))
            if not here.num_rows:
                continue
            columns = ["prompt_id", "answers"] + ([] if answers is prompts else ["origins"])
            given = answers.data(record.run).read_table(answers.files[place].name, columns)
            done: list[str] = []
            rows = _joined(_prompts(data, file.name, keys, here), given, here, done)
            while some := list(itertools.islice(rows, PAIRS_AT_ONCE)):
                yield pa.Table.from_pylist(some, schema=PREFERENCES)
            left = left.filter(pc.invert(pc.is_in(left["pair_id"], value_set=pa.array(done, pa.string()))))
    if left.num_rows:
        raise InputError(
            f"{left.num_rows:,} pairs of {model} name a prompt or an answer that is not in the rows of the run, first "
            f"{left['pair_id'][0].as_py()}. They are of different steps; delete {record.run.path(pairs.step)} and call "
            "`dt2it run` again."
        )


def _sources(record: RunRecord, step: str) -> Iterator[Source]:
    """What the training reads beside its pairs, in the order in which it does."""
    planned = next(entry["inputs"] for entry in record.plan if entry["step"] == step)
    for name in planned:
        kind, _, source = name.partition("/")
        if kind == "rows":
            apart = f"answers/{source}"
            prompts = _made(record, step, name)
            yield prompts, _made(record, step, apart) if apart in planned else prompts


def _made(record: RunRecord, step: str, name: str) -> Manifest:
    manifest = record.source_of(step, name)
    if manifest is None:
        raise StoreError(f"{record.run.path(step)} reads {name}, which is not there; call `dt2it run` to make it again")
    return manifest


def _prompts(data: Folder, name: str, keys: pa.ChunkedArray, pairs: pa.Table) -> Iterator[Mapping[str, Any]]:
    """The prompts of a file that pairs are of, read by slices that hold some."""
    wanted = pc.unique(pairs["prompt_id"])
    hits = pc.indices_nonzero(pc.is_in(keys, value_set=wanted)).to_pylist()
    for index in sorted({hit // ROWS_PER_SLICE for hit in hits}):
        rows = data.read_table(name, COLUMNS, slice_index=index)
        for batch in rows.filter(pc.is_in(rows["prompt_id"], value_set=wanted)).to_batches(max_chunksize=1):
            yield from batch.to_pylist()


def _joined(
    prompts: Iterator[Mapping[str, Any]], answers: pa.Table, pairs: pa.Table, done: list[str]
) -> Iterator[Mapping[str, Any]]:
    """The preferences of prompts whose answers are given; `done` gets the ids of their pairs."""
    wanted = pc.unique(pairs["prompt_id"])
    given = {row["prompt_id"]: row for row in answers.filter(pc.is_in(answers["prompt_id"], wanted)).to_pylist()}
    of_prompt: dict[str, list[dict[str, Any]]] = {}
    for pair in pairs.sort_by("pair_id").to_pylist():
        of_prompt.setdefault(pair["prompt_id"], []).append(pair)
    for prompt in prompts:
        written = given.get(prompt["prompt_id"], {"answers": ()})
        origins = written.get("origins") or [None] * len(written["answers"])
        row = {**prompt, "answers": written["answers"], "origins": origins}
        known = {answer["answer_id"] for answer in written["answers"]}
        for pair in of_prompt[prompt["prompt_id"]]:
            if known.issuperset((pair["chosen_id"], pair["rejected_id"])):
                done.append(pair["pair_id"])
                # A path here is relative to where the image came from; its bytes are in the run.
                yield {**preference_of_pair(row, pair), "source": pair["source"], "images": prompt["images"]}
