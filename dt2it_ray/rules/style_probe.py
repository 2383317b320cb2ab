"""Does style alone tell the label of a pair? What a probe that sees nothing but differences of style makes of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dt2it_ray.data.figures import PROBES
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.origins import DEGRADED
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.comparisons import codebook
from dt2it_ray.rules.intervals import FEW_PROMPTS, Codes, Estimate, Floats, Resampling, estimate_share
from dt2it_ray.rules.mirrored import EQUAL, UNTOLD, estimate_auc
from dt2it_ray.rules.style_features import FEATURES, SHARES

ORIGIN = "origin "
"""How the name of a feature begins that tells who wrote an answer."""


@dataclass(frozen=True)
class Probe:
    """How the probe is fitted and measured."""

    folds: int
    inverse_ridge: float
    most_origins: int
    most_pairs: int
    min_prompts: int
    resampling: Resampling


@dataclass(frozen=True)
class Styled:
    """Pairs as differences of style, chosen minus rejected: a row per pair, a column per feature."""

    names: Sequence[str]
    differences: Floats
    prompts: Codes


def probe_pairs(name: str, pairs: pa.Table, features: pa.Table, probe: Probe) -> pa.Table:
    """PROBES of a set of pairs called `name`, over all pairs (`source` empty) and by source, sorted by `probe_id`.

    `pairs` has the ids, prompt_id and source of PAIRS, `features` is STYLE_FEATURES. The figures are `probe_auc` (all
    features, out of fold), `feature_auc` (one feature: below 0.5 chosen answers have less of it) and `longer_wins`.

    Raises:
        StageFailed: an answer of a pair has no features.
    """
    rows = []
    ordered = pairs.sort_by("pair_id").combine_chunks()
    sources = ["", *sorted(filter(None, pc.unique(pairs["source"]).to_pylist()))]
    for source in sources:
        scope = ordered.filter(pc.equal(ordered["source"], source)) if source else ordered
        # Pair ids are hashes of content: the first of them are a fair sample.
        styled = _styled(scope.slice(0, probe.most_pairs), features, probe.most_origins)
        for figure, feature, told in _figures(styled, probe):
            key = content_id("probe", name, source, figure, feature or "")
            names = {"probe_id": key, "pair_set": name, "source": source, "figure": figure, "feature": feature}
            rows.append(names | asdict(told))
    return pa.Table.from_pylist(rows, schema=PROBES).sort_by("probe_id")


def out_of_fold(differences: Floats, prompts: Codes, folds: int, inverse_ridge: float) -> Floats:
    """For each pair, by how much a logistic regression prefers its chosen answer that saw no pair of its prompt.

    It has no intercept, which is the same as fitting every pair in both orders. Differences are divided by their root
    mean square. `prompts` are codes; prompt p is in fold p mod `folds`.
    """
    from threadpoolctl import threadpool_limits

    margins = np.zeros(len(differences))
    # One thread, so that the number of cores does not change a digit.
    with threadpool_limits(1):
        for fold in range(folds):
            held = prompts % folds == fold
            margins[held] = differences[held] @ _weights(differences[~held], inverse_ridge)
    return margins


def _weights(differences: Floats, inverse_ridge: float) -> Floats:
    from sklearn.linear_model import LogisticRegression

    spread = np.sqrt((differences**2).mean(axis=0))
    scale = np.where(spread > 0, spread, 1)
    both = np.concatenate([differences, -differences]) / scale
    labels = np.repeat([1, 0], len(differences))
    model = LogisticRegression(C=inverse_ridge, fit_intercept=False, max_iter=1000).fit(both, labels)
    return model.coef_[0] / scale


def _figures(styled: Styled, probe: Probe) -> Iterator[tuple[str, str | None, Estimate]]:
    yield "probe_auc", None, _probe(styled, probe)
    longer = np.sign(styled.differences[:, styled.names.index("characters")])
    wins = (1 + longer[longer != 0]) / 2
    yield "longer_wins", None, estimate_share(wins, styled.prompts[longer != 0], probe.resampling, "no_lengths_differ")
    for place, name in enumerate(styled.names):
        yield "feature_auc", name, estimate_auc(styled.differences[:, place], styled.prompts, probe.resampling)


def _probe(styled: Styled, probe: Probe) -> Estimate:
    prompts, size = len(np.unique(styled.prompts)), len(styled.prompts)
    if prompts < probe.min_prompts:
        return Estimate(None, n=size, prompts=prompts, note=FEW_PROMPTS if size else UNTOLD)
    if not styled.differences.any():
        return Estimate(None, n=size, prompts=prompts, note=EQUAL)
    margins = out_of_fold(styled.differences, styled.prompts, probe.folds, probe.inverse_ridge)
    return estimate_auc(margins, styled.prompts, probe.resampling)


def _styled(pairs: pa.Table, features: pa.Table, most_origins: int) -> Styled:
    known = features["answer_id"].combine_chunks()
    chosen, rejected = (_rows_of(pairs, side, known) for side in ("chosen_id", "rejected_id"))
    columns = {name: _scaled(features, name, chosen) - _scaled(features, name, rejected) for name in FEATURES}
    columns |= _origins(features["origin"], chosen, rejected, most_origins)
    prompts = codebook(pairs["prompt_id"]).codes(pairs["prompt_id"])
    return Styled(list(columns), np.column_stack(list(columns.values())), prompts)


def _rows_of(pairs: pa.Table, side: str, known: pa.Array) -> pa.Array:
    rows = pc.index_in(pairs[side], value_set=known)
    if rows.null_count:
        place = pc.index(pc.is_null(rows), True).as_py()
        raise StageFailed(
            f"pair {pairs['pair_id'][place].as_py()}: its {side} {pairs[side][place].as_py()} has no style features; "
            "give the step the features of all answers"
        )
    return rows


def _scaled(features: pa.Table, name: str, rows: pa.Array) -> Floats:
    """Counts as log(1 + count), so that a difference is a ratio and one endless answer does not outweigh the rest."""
    values = np.asarray(features[name].take(rows), np.float64)
    return values if name in SHARES else np.log1p(values)


def _origins(origins: pa.ChunkedArray, chosen: pa.Array, rejected: pa.Array, most: int) -> dict[str, Floats]:
    """For the most frequent origins: 1 where only the chosen answer has it, -1 where only the rejected one has.

    All 0 where the origin of either is not known, or it was made worse on purpose: that it loses is no matter of style.
    """
    sides = [origins.take(rows) for rows in (chosen, rejected)]
    known = [_mask(pc.invert(pc.starts_with(side, DEGRADED))) for side in sides]
    told = known[0] & known[1]
    counts = [entry for side in sides for entry in pc.value_counts(side.filter(pa.array(told))).to_pylist()]
    pairs: Counter[str] = Counter()
    for entry in counts:
        pairs[entry["values"]] += entry["counts"]
    frequent = sorted(pairs, key=lambda name: (-pairs[name], name))[:most]
    has = {name: [_mask(pc.equal(side, name)).astype(np.float64) for side in sides] for name in sorted(frequent)}
    return {ORIGIN + name: (one - other) * told for name, (one, other) in has.items()}


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False), bool)
