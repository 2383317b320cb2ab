"""Small benchmark rows and pictures for the tests of the formats."""

import io
from typing import Any

from PIL import Image

from dt2it_ray.data import ids
from dt2it_ray.store.files import Folder


def picture(shade: int, kind: str = "PNG") -> bytes:
    """A 4x4 picture that is different for every shade from 0 to 255."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 10, 20)).save(stream, kind)
    return stream.getvalue()


def benchmark_row(
    item: str,
    category: str = "",
    question: str = "What is it?",
    answers: tuple[str, str] = ("A cat.", "A dog."),
    chosen: int = 0,
    images: tuple[bytes, ...] = (picture(0),),
    reference: str | None = None,
) -> dict[str, Any]:
    """A row of BENCHMARK_ROWS whose answer number `chosen` is the better one."""
    prompt = ids.prompt_id(list(images), question)
    names = [ids.answer_id(prompt, text) for text in answers]
    label = {"pair_id": "p", "chosen_id": names[chosen], "rejected_id": names[1 - chosen], "planted_flip": False}
    return {
        "prompt_id": prompt,
        "source": "made up",
        "category": category,
        "language": "en",
        "images": [{"bytes": content, "path": None} for content in images],
        "question": question,
        "reference": reference,
        "scene": "SECRET-SCENE",
        "answers": [{"answer_id": name, "text": text} for name, text in zip(names, answers, strict=True)],
        "labels": [label],
        "item": item,
        "group": item,
    }


def pair_texts(row: dict[str, Any]) -> tuple[str, str]:
    """The chosen and the rejected text of a row."""
    texts = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    return texts[row["labels"][0]["chosen_id"]], texts[row["labels"][0]["rejected_id"]]


def content_of(folder: Folder) -> dict[str, bytes]:
    """All files of a folder."""
    return {name: folder.read(name) for name in folder.names(recursive=True)}
