"""How training sets derived from rated answers are written: JSONL files that TRL and LLaMA-Factory read."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from dt2it_ray.data.formats.preference import Turn
from dt2it_ray.data.formats.preference_rows import turns_of
from dt2it_ray.data.formats.preferences.llama_factory import described
from dt2it_ray.data.formats.training_rows import ImageNames, Output, training_row

IMAGES = "images"
"""Folder of the images that have no file of their own."""
INDEX = "dataset_info.json"
"""LLaMA-Factory's list of data sets."""
STEERING = "steerlm.json"
"""How a model trained on the set `steerlm` is asked for its best answer."""


def write_derived_sets(
    rows: Iterable[Mapping[str, Any]], folder: Output, sets: Sequence[str], formats: Sequence[str], best: str
) -> dict[str, int]:
    """Write rows of TEACHINGS as a file `SET.FORMAT.jsonl` for each of the sets and formats, in their order.

    Images without a path of their own are written into the folder once and named relative to it; paths stay. With
    `llama_factory` among the formats, `dataset_info.json` describes its files; with `steerlm` among the sets,
    `steerlm.json` tells the attributes to ask for, `best`. Returns the rows of every file, and as `SET.FORMAT.refused`
    how many a format cannot hold, where there are any.

    Raises:
        InputError: an image is none.
    """
    counts = Counter({file_name(name, form): 0 for name in sets for form in formats})
    names = ImageNames(folder, IMAGES)
    with contextlib.ExitStack() as stack:
        streams = {file: stack.enter_context(folder.replacing(file)) for file in counts}
        for row in rows:
            images = [names.name_of(image) for image in row["images"]]
            history = turns_of(row["history"])
            for example in row["examples"]:
                if example["set"] in sets:
                    counts.update(_write_example(example, history, images, formats, streams))
    if "llama_factory" in formats:
        folder.write(INDEX, _encode(dataset_info(sets)))
    if "steerlm" in sets:
        folder.write(STEERING, _encode({"question": "{question}\n\n{attributes}", "attributes": best}))
    return dict(counts)


def file_name(name: str, form: str) -> str:
    """The file of a set in a format."""
    return f"{name}.{form}.jsonl"


def dataset_info(sets: Sequence[str]) -> dict[str, Any]:
    """LLaMA-Factory's description of the sets' files."""
    return {name: described(file_name(name, "llama_factory"), ranking=name == "dpo") for name in sets}


def _write_example(
    example: Mapping[str, Any],
    history: Sequence[Turn],
    images: Sequence[str],
    formats: Sequence[str],
    streams: Mapping[str, IO[bytes]],
) -> Counter[str]:
    counts: Counter[str] = Counter()
    for form in formats:
        row = training_row(form, example, history, images)
        if row is None:
            counts[f"{example['set']}.{form}.refused"] += 1
            continue
        file = file_name(example["set"], form)
        streams[file].write(_encode(row))
        counts[file] += 1
    return counts


def _encode(row: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(row, ensure_ascii=False)}\n".encode()
