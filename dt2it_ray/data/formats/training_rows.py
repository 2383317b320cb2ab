"""How an example of a training set is written in the rows that trainers read, and how its images are named."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any, Protocol

from dt2it_ray.data.formats.fields import extension_of
from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences import llama_factory, trl
from dt2it_ray.data.formats.preferences.marks import hold_marks
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from dt2it_ray.data.ids import content_id


class Output(Protocol):
    """A folder that is written to; the store's `Folder` is one."""

    def write(self, name: str, content: bytes) -> None: ...

    def replacing(self, name: str) -> AbstractContextManager[IO[bytes]]: ...


def training_row(
    form: str, example: Mapping[str, Any], history: Sequence[Turn], images: Sequence[str]
) -> dict[str, Any] | None:
    """The row of an EXAMPLE behind the turns before its question, with the names of its images.

    An example with a rejected answer is a preference; one without is a prompt with its answer. None for one that the
    format cannot hold.
    """
    question, answer, rejected = (example[name] for name in ("question", "answer", "rejected"))
    if rejected is None:
        return ANSWERED_ROWS[form](question, history, images, answer)
    release = PREFERENCE_FORMATS[form].release
    preferred = Preference(question, answer, rejected, history=history, strength=example["margin"])
    return None if release is None else release(preferred, images)


def _trl_answered(question: str, history: Sequence[Turn], images: Sequence[str], answer: str) -> dict[str, Any]:
    return {
        "prompt": trl.release_prompt(question, history, images),
        "completion": [trl.release_turn(Turn("assistant", answer))],
        "images": list(images),
    }


def _llama_factory_answered(
    question: str, history: Sequence[Turn], images: Sequence[str], answer: str
) -> dict[str, Any] | None:
    asked = llama_factory.release_prompt(question, history, images)
    if asked is None or hold_marks([answer]):
        return None
    return {**asked, "conversations": [*asked["conversations"], {"from": "gpt", "value": answer}]}


ANSWERED_ROWS: dict[str, Callable[[str, Sequence[Turn], Sequence[str], str], dict[str, Any] | None]] = {
    "trl": _trl_answered,
    "llama_factory": _llama_factory_answered,
}
"""Writers of prompts with one answer, by format."""


class ImageNames:
    """Gives every image a name: that of a file by its content, which is written when first met, or, of an image without
    bytes, its path."""

    def __init__(self, output: Output, folder: str) -> None:
        self._output, self._folder = output, folder
        self._written: set[str] = set()

    def name_of(self, image: Mapping[str, Any]) -> str:
        """The path of an IMAGE as rows shall name it, relative to the output if it is written there.

        Raises:
            InputError: the bytes are no image.
        """
        if not image["bytes"]:
            return image["path"]
        name = f"{self._folder}/{content_id(image['bytes'])}.{extension_of(image['bytes'], 'a row to be written')}"
        if name not in self._written:
            self._output.write(name, image["bytes"])
            self._written.add(name)
        return name
