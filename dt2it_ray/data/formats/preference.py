"""What every outside row of preferences says, whatever its format: a prompt, and two answers of which one is better."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Row = Mapping[str, Any]


class Turn(NamedTuple):
    """A message before the question. `images` of the prompt's images are shown in it, before its text."""

    role: str
    """`system`, `user` or `assistant`."""
    text: str
    images: int = 0


class Preference(NamedTuple):
    """Two answers to one prompt, the better one first. Texts are not blank, and the marks with which a format shows
    images in texts are taken out."""

    question: str
    """The last user turn. It shows the images that no turn of `history` shows, before its text."""
    chosen: str
    rejected: str
    images: Sequence[Mapping[str, Any]] = ()
    """IMAGEs in the order shown; one that is only named has null bytes."""
    history: Sequence[Turn] = ()
    """The turns before the question, a system prompt first."""
    strength: float | None = None
    """How much better, in the row's own unit (a margin, a difference of ratings); null where the row does not say."""
    reference: str | None = None
    """A true answer, if the row has one."""
    category: str | None = None
    item: str | None = None
    """The row's own id, which may repeat."""
    chosen_origin: str | None = None
    """Who wrote the answer, if the row says."""
    rejected_origin: str | None = None
    source: str | None = None
    """The data set that the row is from, if the row says."""
    chosen_critique: str | None = None
    """What somebody wrote of the answer, if the row has it."""
    rejected_critique: str | None = None


@dataclass(frozen=True)
class PreferenceFormat:
    """How rows of one format are read and written."""

    name: str
    parse: Callable[[Row], Sequence[Preference]]
    """The preferences of a raw row: one, or several where it ranks more answers; none where its answers are equally
    good. Raises RowRefused, which names the field."""
    release: Callable[[Preference, Sequence[str]], dict[str, Any] | None] | None = None
    """The row of a preference, with the names of its images; None for one whose texts, turns or images the format
    cannot hold (what else it has no place for is left out). No function where the format is only read."""
