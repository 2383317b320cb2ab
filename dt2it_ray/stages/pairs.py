"""Which judged answers become pairs: the order that the judges agree on, and a choice among the pairs that it gives."""

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa
from pydantic import Field, model_validator

from dt2it_ray.data.answer_tables import ANSWER_FACTS
from dt2it_ray.data.schema import JUDGEMENTS, PAIRS, PROMPTS
from dt2it_ray.rules.pair_selection import PairChoice, select_pairs
from dt2it_ray.rules.pairing import form_pairs
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import GatherStage, Outcome


class StrengthSettings(Settings):
    """How pairs are drawn evenly over their strengths. Off by default: the paper keeps all."""

    min_strength: float = Field(default=0, ge=0)
    """Pairs below are dropped. arXiv 2604.19544 keeps weak ones, as they teach granularity: 0."""
    bins: int = Field(default=0, ge=0)
    """Bins between the quantiles of all strengths, each of which gives equally many pairs; 0: none."""
    edges: tuple[float, ...] = ()
    """Fixed strengths that part the bins, in rising order, in place of `bins`."""
    per_bin: int = Field(default=0, ge=0)
    """Pairs of each bin, or all if it has fewer. 0: as many as the smallest bin that is not empty."""

    @model_validator(mode="after")
    def _has_one_kind_of_bins(self) -> "StrengthSettings":
        if self.bins and self.edges:
            raise ValueError("give bins (their number) or edges (their bounds), not both")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges must rise, not {list(self.edges)}")
        if self.per_bin and not (self.bins or self.edges):
            raise ValueError("per_bin needs bins or edges")
        return self


class LengthSettings(Settings):
    """What the lengths of a pair's answers, in characters, may say about its label. Off by default."""

    longest_ratio: float | None = Field(default=None, ge=1)
    """Pairs whose chosen answer is more than so many times as long as the rejected one are dropped. IXC-2.5-Reward
    (arXiv 2501.12368) drops those that are much longer and gives no number."""
    longest_excess: int | None = Field(default=None, ge=0)
    """The same for a difference in characters."""
    matched_strata: int = Field(default=0, ge=0)
    """Pairs are dropped until the chosen answer is longer as often as shorter within each of so many quantiles of the
    difference in length, in each source; 0: none are. Ours: more strata match more closely and drop more; 10 is a good
    number for thousands of pairs."""


class PairSettings(Settings):
    """Which comparisons become pairs."""

    agreement: Literal["both", "listwise"] = "both"
    """`both`: listwise and pointwise order must be alike, the largest gain of arXiv 2604.19544 (76.9 to 78.7).
    `listwise`: no pointwise judge is asked, for comparison."""
    max_pairs: int = Field(default=0, ge=0)
    """Most pairs of one prompt, drawn without regard to their strength; 0 keeps all (arXiv 2604.19544)."""
    order_consistency: Literal["mean", "strict"] = "mean"
    """What a listwise judge that saw two orders must say: `mean` averages them, `strict` wants the same direction in
    both of every judge."""
    without_duplicates: bool = False
    """Answers that nearly equal another answer of their prompt form no pairs: see `construction.facts`."""
    strength: StrengthSettings = StrengthSettings()
    length: LengthSettings = LengthSettings()


def pair_candidates(tables: Mapping[str, pa.Table], settings: PairSettings) -> Outcome:
    """The chosen pairs of answers whose order the judges agree on, with the mean gap of their overalls as strength."""
    listwise = judgements_of(tables, "listwise")
    pointwise = judgements_of(tables, "pointwise") if settings.agreement == "both" else None
    made = form_pairs(listwise, pointwise, tables["rows"], settings.order_consistency == "strict")
    chosen = select_pairs(made.pairs, tables["facts"], _choice(settings))
    metrics = {**made.counts, "pairs": chosen.pairs.num_rows, "dropped": dict(chosen.dropped)}
    return Outcome(chosen.pairs, metrics={**metrics, "strength_bins": list(chosen.bins)} if chosen.bins else metrics)


def judgements_of(tables: Mapping[str, pa.Table], mode: str) -> pa.Table:
    """The judgements of all judges of a panel, whose inputs are named `MODE/JUDGE`."""
    return pa.concat_tables([tables[name] for name in sorted(tables) if name.startswith(f"{mode}/")])


def _choice(settings: PairSettings) -> PairChoice:
    return PairChoice(
        without_duplicates=settings.without_duplicates,
        min_strength=settings.strength.min_strength,
        longest_ratio=settings.length.longest_ratio,
        longest_excess=settings.length.longest_excess,
        max_pairs=settings.max_pairs,
        bins=settings.strength.bins,
        edges=settings.strength.edges,
        per_bin=settings.strength.per_bin,
        length_strata=settings.length.matched_strata,
    )


JUDGED = pa.schema([JUDGEMENTS.field(name) for name in ("prompt_id", "judge", "shown", "assessments")])
FORM_PAIRS = GatherStage(
    name="pairs",
    version=4,
    reads={
        "listwise/*": JUDGED,
        "pointwise/*": JUDGED,
        "rows": pa.schema([PROMPTS.field("prompt_id"), PROMPTS.field("source")]),
        "facts": pa.schema([ANSWER_FACTS.field(name) for name in ("answer_id", "characters", "duplicate_of")]),
    },
    writes=PAIRS,
    decide=pair_candidates,
)
