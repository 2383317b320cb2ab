"""How noisy pairs are curated: voters flip, one model checks, judges settle what it doubts (arXiv 2604.19544)."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.schema import DECISIONS, DOUBTED, PAIRS, SCORES, VOTES
from dt2it_ray.rules.by_prompt import group_by_prompt
from dt2it_ray.rules.decisions import decide, pairs_to_rejudge, planted_precision, planted_recall, training_pairs
from dt2it_ray.rules.flips import VOTED, Normalisation, vote_and_flip, voted_pairs
from dt2it_ray.settings import Settings
from dt2it_ray.stages.rejudge import RejudgeSettings
from dt2it_ray.stages.stage import GatherStage, NoSettings, Outcome


class FlipSettings(Settings):
    """Step 1: which labels the voters overturn."""

    share: float = Field(default=0.5, ge=0, le=1)
    """Part of the pairs with negative mean strength to flip, most negative first (arXiv 2604.19544: half)."""
    normalise: Normalisation = "none"
    """`rms` makes voters with different score scales count alike before they are averaged."""


class DecideSettings(Settings):
    """Step 3: how votes settle the pairs that the checking model does not confirm."""

    required_votes: int | None = Field(default=None, ge=1)
    """Fewest valid votes of all judges and orders; a pair with fewer is dropped. None: every judge in both orders."""


class CurateSettings(Settings):
    """One iteration of curation."""

    voters: int = Field(default=2, ge=1)
    """Reward models that vote (M of the paper: 2). The first is the iteration's base model; the others are trained on
    the same pairs from other seeds."""
    flip: FlipSettings = FlipSettings()
    rejudge: RejudgeSettings = RejudgeSettings()
    decide: DecideSettings = DecideSettings()


def flip(tables: Mapping[str, pa.Table], settings: FlipSettings) -> Outcome:
    """Every noisy pair with the strength that each voter gives its label; the worst are marked as flipped."""
    names = sorted((name for name in tables if name.startswith("scores/")), key=_voter_number)
    voters = [tables[name] for name in names]
    voted = vote_and_flip(tables["pairs"], voters, settings.share, settings.normalise)
    negative = pc.sum(pc.less(voted["vote_strength"], 0)).as_py() or 0
    return Outcome(voted, metrics={"negative": negative, "flipped": pc.sum(voted["flipped_by_vote"]).as_py() or 0})


def _voter_number(name: str) -> int:
    return int(name.rpartition("-")[2])


def take_voted(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """All noisy pairs in their direction after the vote, for the training of the checking model."""
    return Outcome(voted_pairs(tables["flips"]))


def select_doubted(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """The pairs that the checking model does not confirm, by prompt."""
    doubted = pairs_to_rejudge(tables["flips"], tables["scores"])
    return Outcome(group_by_prompt(doubted, DOUBTED), metrics={"pairs": doubted.num_rows})


def settle(tables: Mapping[str, pa.Table], settings: DecideSettings) -> Outcome:
    """One decision per noisy pair, with its evidence. Planted truth, where there is any, is measured, not used.

    The plan has filled in `required_votes`.
    """
    assert settings.required_votes is not None
    cast = [tables[name] for name in sorted(tables) if name.startswith("votes/")]
    votes = pa.concat_tables([CAST.empty_table(), *cast])
    decisions = decide(tables["flips"], tables["scores"], votes, settings.required_votes)
    planted = {"recall": planted_recall(decisions), "precision": planted_precision(decisions)}
    return Outcome(
        decisions,
        metrics={"planted": planted, "actions": _counts(decisions["action"]), "rules": _counts(decisions["rule"])},
    )


def survive(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """The pairs that were not dropped, in their final direction."""
    return Outcome(training_pairs(tables["decisions"]))


def merge(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """All pairs of all inputs. A pair id that comes twice is refused when the rows are sealed."""
    return Outcome(pa.concat_tables([tables[name] for name in sorted(tables)]))


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


CAST = pa.schema([VOTES.field(name) for name in VOTES.names if name != "evidence"])
NARROW_SCORES = pa.schema([SCORES.field("answer_id"), SCORES.field("score")])
FLIP = GatherStage(
    name="flips", version=2, reads={"pairs": PAIRS, "scores/*": NARROW_SCORES}, writes=VOTED, decide=flip
)
TAKE_VOTED = GatherStage(name="voted", version=1, reads={"flips": VOTED}, writes=PAIRS, decide=take_voted)
SELECT_DOUBTED = GatherStage(
    name="doubted", version=1, reads={"flips": VOTED, "scores": NARROW_SCORES}, writes=DOUBTED, decide=select_doubted
)
DECIDE = GatherStage(
    name="decisions",
    version=1,
    reads={
        "flips": VOTED,
        "scores": NARROW_SCORES,
        "votes/*": CAST,
    },
    writes=DECISIONS,
    decide=settle,
)
SURVIVE = GatherStage(name="survivors", version=1, reads={"decisions": DECISIONS}, writes=PAIRS, decide=survive)
MERGE = GatherStage(name="merge", version=1, reads={"pairs/*": PAIRS}, writes=PAIRS, decide=merge)
