"""How an example is written in the rows that trainers read, and how its images are named."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any, Protocol

from dt2it_ray.data.formats.fields import extension_of
from dt2it_ray.data.formats.t2i.choice import MEDIA_MARK
from dt2it_ray.data.ids import content_id

PLACEHOLDER = "<image>"


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
    """A row of LLaMA-Factory's sharegpt form, which passes `margin` over. None if a text holds its mark of an image, a
    video or a sound, as that would count as a file."""
    if any(MEDIA_MARK.search(example[name] or "") for name in ("question", "answer", "rejected")):
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


def _text_part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _assistant(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": [_text_part(text)]}]


TRAINING_ROWS: dict[str, Callable[[Mapping[str, Any], Sequence[str]], dict[str, Any] | None]] = {
    "trl": trl_row,
    "llama_factory": llama_factory_row,
}
"""Row writers by format; they take an EXAMPLE and the names of its images, and give None for one they cannot hold."""


class ImageNames:
    """Gives every image a name: its path, or that of a file by its content, which is written when first met."""

    def __init__(self, output: Output, folder: str) -> None:
        self._output, self._folder = output, folder
        self._written: set[str] = set()

    def name_of(self, image: Mapping[str, Any]) -> str:
        """The path of an IMAGE as rows shall name it, relative to the output where it has none of its own.

        Raises:
            InputError: the bytes are no image.
        """
        if image["path"]:
            return image["path"]
        name = f"{self._folder}/{content_id(image['bytes'])}.{extension_of(image['bytes'], 'a row to be written')}"
        if name not in self._written:
            self._output.write(name, image["bytes"])
            self._written.add(name)
        return name
