"""What the report page shows: plain records that anyone can fill, with nothing about where they came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

Fates = Mapping[str, int]
"""Pairs by action: kept, flipped, dropped."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """The counts of one iteration, as its picture shows them."""

    name: str
    voters: int
    pool: int
    flipped_by_vote: int
    doubted: int
    consistent: Fates
    rejudged: Fates
    constructed: int
    t2i: int
    merged: int


@dataclass(frozen=True, kw_only=True)
class Strengths:
    """How strongly the voters of one iteration side with the labels of the pool."""

    name: str
    strengths: pa.ChunkedArray
    planted: pa.ChunkedArray
    """Whether each label is known to be wrong; nulls where nobody knows."""
    threshold: float | None
    """Pairs at or below it were flipped."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Pairs by action under one heading: a source, or a rule."""

    heading: str
    fates: Fates
    total: int


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What became of planted errors: `wrong` labels planted, `caught` of them, among `touched` pairs in all."""

    name: str
    source: str
    pairs: int
    wrong: int
    caught: int
    touched: int

    @property
    def recall(self) -> float | None:
        """Share of the wrong labels that were flipped or dropped."""
        return self.caught / self.wrong if self.wrong else None

    @property
    def precision(self) -> float | None:
        """Share of the flipped or dropped pairs whose label was wrong."""
        return self.caught / self.touched if self.touched else None


@dataclass(frozen=True, kw_only=True)
class Example:
    """One noisy pair with its evidence. `labelled` and `other` are the answers as the source labelled them."""

    pair_id: str
    source: str
    action: str
    rule: str
    images: Sequence[bytes]
    question: str
    labelled: str
    other: str
    planted: bool | None
    evidence: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Curation:
    """What one iteration decided about the pool."""

    name: str
    by_source: Sequence[Tally]
    by_rule: Sequence[Tally]
    examples: Sequence[Example]


@dataclass(frozen=True, kw_only=True)
class StepLine:
    """Rows and time of one step."""

    name: str
    rows_in: int
    rows_out: int
    dropped: int
    skipped: int
    reasons: Mapping[str, int]
    wall_s: float
    rows_per_s: float


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything on the page. `summary` is the content of summary.json; empty sequences leave a section out."""

    name: str
    summary: Mapping[str, Any]
    steps: Sequence[StepLine]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    rounds: Sequence[Round] = ()
    constructed_strengths: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], pa.float64()))
    pool_strengths: Sequence[Strengths] = ()
    curations: Sequence[Curation] = ()
    truths: Sequence[Truth] = ()
