"""Groups of pairs as they are encoded, on their way into forward passes of a training."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.collate import Encoded
from dt2it_ray.models.prefix import row_length
from dt2it_ray.models.token_budget import Size


@dataclass
class Micro:
    """The groups of one micro-batch that could be encoded, at least in part."""

    groups: list[list[Encoded]] = field(default_factory=list)
    """Of each group the chosen answer, then the rejected ones. The last may be padding, which has no name."""
    weights: list[float] = field(default_factory=list)
    strengths: list[float] = field(default_factory=list)
    names: list[list[str]] = field(default_factory=list)
    """The ids of each group's pairs."""
    indices: list[int] = field(default_factory=list)
    """Of the groups among all."""
    others: list[list[Encoded]] = field(default_factory=list)
    """Of each group, the chosen answer beside other images."""
    refused: list[tuple[str, Dropped]] = field(default_factory=list)
    """Pairs that could not be encoded, by id."""

    def add(self, group: list[Encoded], weight: float, strength: float, others: list[Encoded]) -> None:
        """Take a group. Its pairs are named apart: padding has none."""
        self.groups.append(group)
        self.others.append(others)
        self.weights.append(weight)
        self.strengths.append(strength)

    def sizes(self) -> list[Size]:
        """Of each group with what is read beside it."""
        return [_size(group, others) for group, others in zip(self.groups, self.others, strict=True)]

    def split(self, parts: Sequence[Sequence[int]]) -> list["Micro"]:
        """These groups in parts, by number; refused pairs go with the first part, at least one is made."""
        made = [self._part(part) for part in parts] or [Micro()]
        made[0].refused = self.refused
        return made

    def _part(self, places: Sequence[int]) -> "Micro":
        return Micro(
            groups=[self.groups[place] for place in places],
            weights=[self.weights[place] for place in places],
            strengths=[self.strengths[place] for place in places],
            names=[self.names[place] for place in places],
            indices=[self.indices[place] for place in places],
            others=[self.others[place] for place in places],
        )


def _size(group: Sequence[Encoded], others: Sequence[Encoded]) -> Size:
    lengths = [len(encoded.ids) for encoded in (*group, *others)]
    tokens = row_length(group) + sum(len(encoded.ids) for encoded in others)
    return Size(tokens, len(lengths), max(lengths))
