"""How training sets derived from rated answers are written: JSONL files that TRL and LLaMA-Factory read."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any, Protocol

from dt2it_ray.data.formats.fields import extension_of
from dt2it_ray.data.formats.preference_rows import PLACEHOLDER
from dt2it_ray.data.ids import content_id

IMAGES = "images"
"""Folder of the images that have no file of their own."""
INDEX = "dataset_info.json"
"""LLaMA-Factory's list of data sets."""
STEERING = "steerlm.json"
"""How a model trained on the set `steerlm` is asked for its best answer."""


class Output(Protocol):
    """A folder that is written to; the store's `Folder` is one."""

    def write(self, name: str, content: bytes) -> None: ...

    def replacing(self, name: str) -> AbstractContextManager[IO[bytes]]: ...


def trl_row(example: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    """A row of TRL's conversational form: prompt with chosen, rejected and margin, or prompt with completion."""
    parts = [*({"type": "image"} for _ in images), _text_part(example["question"])]
    prompt = [{"role": "user", "content": parts}]
    if example["rejected"] is None:
        return {"prompt": prompt, "completion": _assistant(example["answer"]), "images": list(images)}
    return {
        "prompt": prompt,
        "chosen": _assistant(example["answer"]),
        "rejected": _assistant(example["rejected"]),
        "images": list(images),
        "margin": example["margin"],
    }


def llama_factory_row(example: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any] | None:
    """A row of LLaMA-Factory's sharegpt form, which passes `margin` over. None if a text holds its image placeholder,
    as that would count as an image."""
    if any(PLACEHOLDER in (text or "") for text in (example["question"], example["answer"], example["rejected"])):
        return None
    asked = {"from": "human", "value": PLACEHOLDER * len(images) + example["question"]}
    answer = {"from": "gpt", "value": example["answer"]}
    if example["rejected"] is None:
        return {"conversations": [asked, answer], "images": list(images)}
    return {
        "conversations": [asked],
        "chosen": answer,
        "rejected": {"from": "gpt", "value": example["rejected"]},
        "images": list(images),
        "margin": example["margin"],
    }


SET_ROWS: dict[str, Callable[[Mapping[str, Any], Sequence[str]], dict[str, Any] | None]] = {
    "trl": trl_row,
    "llama_factory": llama_factory_row,
}
"""Row writers by format; they take an EXAMPLE and the names of its images, and give None for one they cannot hold."""


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
    names = _ImageNames(folder)
    with contextlib.ExitStack() as stack:
        streams = {file: stack.enter_context(folder.replacing(file)) for file in counts}
        for row in rows:
            images = [names.name_of(image) for image in row["images"]]
            for example in row["examples"]:
                if example["set"] in sets:
                    counts.update(_write_example(example, images, formats, streams))
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
    return {name: _described(name) for name in sets}


def _described(name: str) -> dict[str, Any]:
    described = {"file_name": file_name(name, "llama_factory"), "formatting": "sharegpt"}
    columns = {"messages": "conversations", "images": "images"}
    if name != "dpo":
        return {**described, "columns": columns}
    return {**described, "ranking": True, "columns": {**columns, "chosen": "chosen", "rejected": "rejected"}}


class _ImageNames:
    """Gives every image a name: its path, or that of a file by its content, which is written when first met."""

    def __init__(self, folder: Output) -> None:
        self._folder = folder
        self._written: set[str] = set()

    def name_of(self, image: Mapping[str, Any]) -> str:
        if image["path"]:
            return image["path"]
        name = f"{IMAGES}/{content_id(image['bytes'])}.{extension_of(image['bytes'], 'a rated prompt')}"
        if name not in self._written:
            self._folder.write(name, image["bytes"])
            self._written.add(name)
        return name


def _write_example(
    example: Mapping[str, Any], images: Sequence[str], formats: Sequence[str], streams: Mapping[str, IO[bytes]]
) -> Counter[str]:
    counts: Counter[str] = Counter()
    for form in formats:
        row = SET_ROWS[form](example, images)
        if row is None:
            counts[f"{example['set']}.{form}.refused"] += 1
            continue
        file = file_name(example["set"], form)
        streams[file].write(_encode(row))
        counts[file] += 1
    return counts


def _encode(row: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(row, ensure_ascii=False)}\n".encode()


def _text_part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _assistant(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": [_text_part(text)]}]
