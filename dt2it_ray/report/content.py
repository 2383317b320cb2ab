"""What the report page shows: plain records that anyone can fill, with nothing about where they came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

Fates = Mapping[str, int]
"""Pairs by action: kept, flipped, dropped."""


@dataclass(frozen=True, kw_only=True)
class Construction:
    """The counts of the start: trusted pairs and the first model. None where the run does not tell."""

    model: str
    prompts: int | None
    answered: int | None
    """Prompts with at least two distinct answers."""
    listwise: int | None
    pointwise: int | None
    compared: int | None
    """Comparisons of two answers that both judges scored."""
    agreed: int | None
    pairs: int | None
    t2i: int | None
    t2i_first: int | None
    """Text-to-image rows that show the preferred image first."""
    trusted: int | None
    """Pairs that the first model is trained on."""


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
    trusted: int
    """Constructed and text-to-image pairs, merged with what survives of the pool."""
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
    """What became of the pairs of a source whose planted truth is known; `source` is empty for all of them."""

    name: str
    source: str
    pairs: int
    wrong: int
    """Labels that are wrong on purpose."""
    repaired: int
    """Wrong labels that were flipped."""
    removed: int
    """Wrong labels whose pair was dropped."""
    spoilt: int
    """Right labels that were flipped."""
    lost: int
    """Right labels whose pair was dropped."""

    @property
    def caught(self) -> int:
        """Wrong labels that were flipped or dropped."""
        return self.repaired + self.removed

    @property
    def touched(self) -> int:
        """Pairs that were flipped or dropped."""
        return self.caught + self.spoilt + self.lost

    @property
    def recall(self) -> float | None:
        """Share of the wrong labels that were flipped or dropped."""
        return self.caught / self.wrong if self.wrong else None

    @property
    def precision(self) -> float | None:
        """Share of the flipped or dropped pairs whose label was wrong."""
        return self.caught / self.touched if self.touched else None

    @property
    def noise_before(self) -> float | None:
        """Share of wrong labels in the pool as it came."""
        return self.wrong / self.pairs if self.pairs else None

    @property
    def noise_after(self) -> float | None:
        """Share of wrong labels among the pairs that were not dropped, in their final direction."""
        left = self.pairs - self.removed - self.lost
        return (self.wrong - self.caught + self.spoilt) / left if left else None


@dataclass(frozen=True, kw_only=True)
class Example:
    """One noisy pair with its evidence. `labelled` and `other` are the answers as the source labelled them."""

    fate: str
    pair_id: str
    source: str
    category: str
    action: str
    rule: str
    images: Sequence[bytes]
    question: str
    labelled: str
    other: str
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
    """Rows read, those dropped or skipped included."""
    rows_out: int
    dropped: int
    skipped: int
    wall_s: float
    rows_per_s: float


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Rows that one step refused for one reason, with what was wrong with the first of them."""

    step: str
    reason: str
    rows: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class Bias:
    """One figure of a judge, of several judges, or of the style of pairs; `note` says why it is None."""

    figure: str
    about: str
    """Which judges, or which set of pairs."""
    source: str
    """Empty for all sources together."""
    feature: str = ""
    """The single feature of style, if the figure is of one."""
    value: float | None
    low: float | None
    high: float | None
    n: int
    note: str | None


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything on the page. `summary` is the content of summary.json; empty sequences leave a section out."""

    name: str
    summary: Mapping[str, Any]
    steps: Sequence[StepLine]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    refusals: Sequence[Refusal] = ()
    construction: Construction | None = None
    rounds: Sequence[Round] = ()
    constructed_strengths: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], pa.float64()))
    pool_strengths: Sequence[Strengths] = ()
    curations: Sequence[Curation] = ()
    truths: Sequence[Truth] = ()
    reliability: Sequence[Bias] = ()
    """Figures of the judges, in the order in which they are shown."""
    style: Sequence[Bias] = ()
    """Figures of the style of pairs, in the order in which they are shown."""
