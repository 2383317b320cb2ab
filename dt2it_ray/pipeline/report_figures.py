"""What the narrow tables of a run say for its report: counts on arrows, strengths, fates and planted truth."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.schema import Action
from dt2it_ray.pipeline.run_record import RunRecord
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.report.content import Construction, Round, Strengths, Tally, Truth
from dt2it_ray.rules.decisions import Rule
from dt2it_ray.store.manifest import Manifest

COLUMNS = [
    *("pair_id", "prompt_id", "source", "action", "rule", "chosen_id", "rejected_id", "flipped"),
    *("vote_strength", "flip_threshold", "flipped_by_vote", "planted_flip"),
]


def decisions_by_iteration(record: RunRecord) -> dict[str, pa.Table]:
    """The decisions of every finished iteration, without the evidence of single voters."""
    made = {name: record.manifests.get(f"{name}/decisions") for name in record.iterations()}
    return {name: read_rows(record.run, decisions, COLUMNS) for name, decisions in made.items() if decisions}


def construction_of(record: RunRecord) -> Construction | None:
    """The counts of the start; None if no pairs were constructed and none reformulated."""
    pairs, sides = record.manifests.get("construct/pairs"), record.manifests.get("t2i/sides")
    if pairs is None and sides is None:
        return None
    told = pairs.metrics if pairs else {}
    outcomes = [told[name] for name in ("agreed", "disagreed", "tied") if name in told]
    return Construction(
        model="iter-00",
        prompts=_counts(record, "construct/generate", "rows_in"),
        answered=_counts(record, "construct/generate", "rows_out"),
        listwise=_judged(record, "listwise"),
        pointwise=_judged(record, "pointwise"),
        compared=sum(outcomes) if outcomes else None,
        agreed=told.get("agreed"),
        pairs=_counts(record, "construct/pairs", "rows_out"),
        t2i=_counts(record, "t2i/pairs", "rows_out"),
        t2i_first=sides.metrics.get("chosen_first") if sides else None,
        trusted=_counts(record, "iter-00/pairs", "rows_out"),
    )


def round_of(record: RunRecord, name: str, decisions: pa.Table) -> Round:
    """The counts of one iteration."""
    flips = record.manifests[f"{name}/flips"]
    confirmed = pc.equal(decisions["rule"], Rule.CONSISTENT)
    rejudged = decisions.filter(pc.invert(confirmed))
    survivors = pc.sum(pc.not_equal(decisions["action"], Action.DROPPED)).as_py() or 0
    merged = _counts(record, f"{name}/pairs", "rows_out")
    trusted = _counts(record, "iter-00/pairs", "rows_out") or 0
    return Round(
        name=name,
        voters=sum(source.startswith("scores/") for source in flips.inputs),
        pool=decisions.num_rows,
        flipped_by_vote=pc.sum(decisions["flipped_by_vote"]).as_py() or 0,
        doubted=rejudged.num_rows,
        consistent=_fates(decisions.filter(confirmed)),
        rejudged=_fates(rejudged),
        trusted=trusted,
        merged=survivors + trusted if merged is None else merged,
    )


def strengths_of_iteration(name: str, decisions: pa.Table) -> Strengths:
    """What the voters of one iteration said of the labels."""
    thresholds = pc.unique(decisions["flip_threshold"].drop_null()).to_pylist()
    return Strengths(
        name=name,
        strengths=decisions["vote_strength"],
        planted=decisions["planted_flip"],
        threshold=max(thresholds, default=None),
    )


def constructed_strengths(record: RunRecord) -> pa.ChunkedArray:
    """Strengths of the constructed pairs; empty if there are none."""
    pairs = record.manifests.get("construct/pairs")
    if pairs is None:
        return pa.chunked_array([], pa.float64())
    return read_rows(record.run, pairs, ["strength"])["strength"].drop_null()


def tallies(decisions: pa.Table, column: str) -> Sequence[Tally]:
    """Pairs by action for every value of a column, in the order of the values."""
    headings = sorted(pc.unique(decisions[column]).to_pylist())
    parts = [(heading, decisions.filter(pc.equal(decisions[column], heading))) for heading in headings]
    return [Tally(heading=heading, fates=_fates(part), total=part.num_rows) for heading, part in parts]


def truths(name: str, decisions: pa.Table) -> Sequence[Truth]:
    """What became of planted errors: over all pairs whose truth is known, then by source; empty if none is known."""
    known = decisions.filter(pc.is_valid(decisions["planted_flip"]))
    if not known.num_rows:
        return []
    sources = sorted(pc.unique(known["source"]).to_pylist())
    by_source = [_truth(name, source, known.filter(pc.equal(known["source"], source))) for source in sources]
    return [_truth(name, "", known), *by_source]


def _truth(name: str, source: str, known: pa.Table) -> Truth:
    counted = known.group_by(["planted_flip", "action"]).aggregate([([], "count_all")]).to_pylist()
    rows = {(row["planted_flip"], row["action"]): row["count_all"] for row in counted}
    return Truth(
        name=name,
        source=source,
        pairs=known.num_rows,
        wrong=pc.sum(known["planted_flip"]).as_py() or 0,
        repaired=rows.get((True, Action.FLIPPED), 0),
        removed=rows.get((True, Action.DROPPED), 0),
        spoilt=rows.get((False, Action.FLIPPED), 0),
        lost=rows.get((False, Action.DROPPED), 0),
    )


def _fates(decisions: pa.Table) -> dict[str, int]:
    counted = decisions.group_by("action").aggregate([([], "count_all")]).to_pylist()
    rows = {row["action"]: row["count_all"] for row in counted}
    return {str(action): rows.get(action, 0) for action in Action}


def _judged(record: RunRecord, mode: str) -> int | None:
    """Prompts that went on from the judge of a panel that lost fewest."""
    panel = [manifest.counts for step, manifest in record.manifests.items() if step.startswith(f"construct/{mode}/")]
    return max((counts.rows_in - counts.dropped for counts in panel), default=None)


def _counts(record: RunRecord, step: str, field: str) -> int | None:
    manifest: Manifest | None = record.manifests.get(step)
    return getattr(manifest.counts, field) if manifest else None
