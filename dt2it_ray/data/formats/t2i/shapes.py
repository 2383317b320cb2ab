"""Which shapes of text-to-image rows are known, and how a row shows which it has."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats.t2i.choice import Choice
from dt2it_ray.data.formats.t2i.lists import read_hpdv2, read_image_reward
from dt2it_ray.data.formats.t2i.pairs import read_caption_pair, read_hpdv3, read_pick_a_pic
from dt2it_ray.data.formats.t2i.singles import Rated, read_evalmuse, read_image_reward_row

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """A layout of rows: the columns that tell it apart, and how a row of it is read."""

    columns: tuple[tuple[str, ...], ...]
    """A row has this shape if it has one column of each group."""
    read: Callable[[Row], Choice] | None = None
    """For rows that hold a whole choice."""
    read_one: Callable[[Row], Rated] | None = None
    """For rows of one image; the rows of a prompt make one choice."""
    lists: bool = False
    """One of the columns must hold a list, for another shape has the same columns."""

    def fits(self, row: Row) -> bool:
        """Whether the row has the columns of this shape."""
        if not all(any(column in row for column in group) for group in self.columns):
            return False
        return not self.lists or any(isinstance(row.get(column), list) for group in self.columns for column in group)


SHAPES: dict[str, Shape] = {
    "caption_pair": Shape((("chosen",), ("rejected",), ("images",)), read_caption_pair),
    "pick_a_pic": Shape((("caption",), ("jpg_0",), ("jpg_1",), ("label_0",)), read_pick_a_pic),
    "hpdv2": Shape(
        (("prompt",), ("human_preference", "rank", "raw_annotations"), ("file_path", "image_path")),
        read_hpdv2,
        lists=True,
    ),
    "hpdv3": Shape((("prompt",), ("path1",), ("path2",)), read_hpdv3),
    "image_reward": Shape((("prompt",), ("generations",), ("ranking",)), read_image_reward),
    "image_reward_rows": Shape((("prompt",), ("image_path",), ("rank",)), read_one=read_image_reward_row),
    "evalmuse": Shape((("prompt",), ("image",), ("score",)), read_one=read_evalmuse),
}
"""In the order in which they are tried."""


def shape_of(rows: Iterable[Any]) -> str | None:
    """The shape of the first row that shows one; None if no row does."""
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        for name, shape in SHAPES.items():
            if shape.fits(row):
                return name
    return None
