"""What a row that is to be written as a benchmark row says, checked: one labelled pair, and its images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dt2it_ray.errors import InputError


@dataclass(frozen=True)
class WrittenPair:
    """The texts of the labelled pair in the order of the row's answers; `chosen` is the place of the better one."""

    answers: tuple[str, str]
    chosen: int

    @property
    def chosen_text(self) -> str:
        """The better answer."""
        return self.answers[self.chosen]

    @property
    def rejected_text(self) -> str:
        """The other answer."""
        return self.answers[1 - self.chosen]


def labelled_pair(row: Mapping[str, Any]) -> WrittenPair:
    """The one pair that a row of BENCHMARK_ROWS labels.

    Raises:
        InputError: the row has no label or several, or a label of answers that it does not have.
    """
    labels = row["labels"] or []
    if len(labels) != 1:
        raise InputError(f"row {row['item']} has {len(labels)} labels; a benchmark row needs exactly one labelled pair")
    chosen, rejected = labels[0]["chosen_id"], labels[0]["rejected_id"]
    pair = [answer for answer in row["answers"] if answer["answer_id"] in (chosen, rejected)]
    if {answer["answer_id"] for answer in pair} != {chosen, rejected} or len(pair) != 2:
        raise InputError(f"row {row['item']} labels answers {chosen} and {rejected}; it must have each once")
    place = 0 if pair[0]["answer_id"] == chosen else 1
    return WrittenPair((pair[0]["text"], pair[1]["text"]), place)


def only_image(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The image of a row whose format holds exactly one. Raises InputError for any other number."""
    images = row["images"] or []
    if len(images) != 1:
        raise InputError(f"row {row['item']} has {len(images)} images; this format holds exactly one per row")
    return images[0]
