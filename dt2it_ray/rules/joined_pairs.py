"""How the preferences of one prompt that a data set tells row by row become its distinct answers and labelled pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.ids import answer_id, pair_id, unit_interval


@dataclass(frozen=True)
class PlantedFlips:
    """Labels that are turned round on purpose, to measure what curation makes of them."""

    share: float
    """Part of the pairs, drawn by their names."""
    seed: int

    def hits(self, pair: str) -> bool:
        """Whether this pair's label is turned round."""
        return unit_interval("planted flip", self.seed, pair) < self.share


@dataclass(frozen=True)
class JoinedPrompt:
    """What goes into the columns `answers` and `labels` of a prompt row."""

    answers: list[dict[str, Any]]
    """ANSWERs without repeats, sorted by id."""
    labels: list[dict[str, Any]]
    """LABELs, one of each pair, sorted by id."""


def join_pairs(
    prompt: str, source: str, members: Sequence[Mapping[str, Any]], planted: PlantedFlips | None = None
) -> JoinedPrompt:
    """The answers and labels of a prompt from its preferences (`chosen`, `rejected`), in the order of the source.

    Of a pair that comes again, in either direction, the first label counts. `planted_flip` is null where nothing is
    planted.
    """
    texts: dict[str, str] = {}
    labels: dict[str, dict[str, Any]] = {}
    for member in members:
        better, worse = (answer_id(prompt, member[side]) for side in ("chosen", "rejected"))
        texts |= {better: member["chosen"], worse: member["rejected"]}
        pair = pair_id(source, better, worse)
        flipped = None if planted is None else planted.hits(pair)
        chosen, rejected = (worse, better) if flipped else (better, worse)
        labels.setdefault(
            pair, {"pair_id": pair, "chosen_id": chosen, "rejected_id": rejected, "planted_flip": flipped}
        )
    answers = [{"answer_id": name, "text": texts[name]} for name in sorted(texts)]
    return JoinedPrompt(answers, [labels[name] for name in sorted(labels)])
