"""How far each judge can be trusted: flips with the order, longer and own answers preferred, agreement with others."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dt2it_ray.data.figures import RELIABILITY
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.origins import DEGRADED, MODEL
from dt2it_ray.rules.agreement import interval_alpha, interval_parts, kappa, kappa_parts, nominal_alpha, nominal_parts
from dt2it_ray.rules.comparisons import Compared, take
from dt2it_ray.rules.intervals import Codes, Estimate, Floats, Resampling, Statistic, estimate, estimate_share
from dt2it_ray.rules.raters import LISTWISE, POINTWISE, Answers, Judged, Rater

DIRECTIONS = 3
"""Worse, tied, better: what a rater can say of two answers."""


@dataclass(frozen=True)
class Sample:
    """What one figure is computed from: an element, or a row, for everything that counts, and its prompt."""

    figure: str
    raters: Sequence[Rater]
    """Whose figure it is: one rater, two, or none for a figure of all."""
    parts: Floats
    prompts: Codes
    empty: str
    """Why there is no figure if there are no parts."""
    statistic: Statistic | None = None
    """Of sums of the parts; without one the figure is their mean."""
    mode: str | None = None
    """Of a figure of all raters in one mode."""


def measure_reliability(
    known: Judged, models: Mapping[str, str], how: Resampling, aspects: Mapping[str, Sequence[Rater]] | None = None
) -> pa.Table:
    """RELIABILITY of all raters, over all prompts (`source` empty) and by source, sorted by `figure_id`.

    `models` says by mode and judge (`listwise/annotator-0`) which model a judge is. `aspects` has the same raters of
    the same answers with other scores: the alpha of each is a figure of that name. docs/reliability.md defines all.
    """
    rows = []
    for sample in itertools.chain(_samples(known.raters, known.answers, models), _of_aspects(aspects or {}, known)):
        source = known.source_of[sample.prompts]
        rows.append(_row(sample, "", slice(None), how))
        rows += [_row(sample, name, source == place, how) for place, name in enumerate(known.sources) if name]
    return pa.Table.from_pylist(rows, schema=RELIABILITY).sort_by("figure_id")


def _samples(raters: Sequence[Rater], answers: Answers, models: Mapping[str, str]) -> Iterator[Sample]:
    for rater in raters:
        if rater.orders:
            yield _position_flips(rater)
            yield _first_shown_wins(rater)
        yield _longer_wins(rater, answers)
        yield _self_preference(rater, answers, models)
    for one, other in itertools.combinations(raters, 2):
        if (one.mode, other.mode) == (LISTWISE, POINTWISE):
            yield _alike(one, other)
        yield _kappa(one, other)
    modes = sorted({rater.mode for rater in raters})
    for mode in modes if len(modes) == 1 else (*modes, None):
        members = [rater for rater in raters if mode in (None, rater.mode)]
        if all(rater.means is not None for rater in members):
            yield _alpha_of_scores("alpha_overall", members, answers, mode)
        yield _alpha_of_directions(members, mode)


def _of_aspects(aspects: Mapping[str, Sequence[Rater]], known: Judged) -> Iterator[Sample]:
    for figure, raters in sorted(aspects.items()):
        for mode in sorted({rater.mode for rater in raters}):
            yield _alpha_of_scores(figure, [rater for rater in raters if rater.mode == mode], known.answers, mode)


def _position_flips(rater: Rater) -> Sample:
    first, second = _both(*rater.orders)
    turned = first.first_shown_first != second.first_shown_first
    flips = (np.abs(first.directions - second.directions) / 2)[turned]
    return Sample("position_flip_rate", (rater,), flips, first.prompts[turned], "one_order_only")


def _first_shown_wins(rater: Rater) -> Sample:
    wins = [_wins(order.directions, np.where(order.first_shown_first, 1, -1)) for order in rater.orders]
    prompts = np.concatenate([order.prompts for order in rater.orders])
    return Sample("first_shown_wins", (rater,), np.concatenate(wins), prompts, "no_comparisons")


def _longer_wins(rater: Rater, answers: Answers) -> Sample:
    compared = rater.compared
    longer = np.sign(answers.characters[compared.first] - answers.characters[compared.second])
    wins = _wins(compared.directions, longer)[longer != 0]
    return Sample("longer_wins", (rater,), wins, compared.prompts[longer != 0], "no_lengths_differ")


def _self_preference(rater: Rater, answers: Answers, models: Mapping[str, str]) -> Sample:
    compared, model = rater.compared, models.get(f"{rater.mode}/{rater.judge}", "")
    own = _mask(pc.equal(answers.origins, f"{MODEL}{model}")).astype(np.int64)
    # Who beats an answer that was made worse on purpose shows no taste.
    fair = _mask(pc.invert(pc.starts_with(answers.origins, DEGRADED)))
    side = own[compared.first] - own[compared.second]
    told = (side != 0) & fair[compared.first] & fair[compared.second]
    wins = _wins(compared.directions, side)[told]
    empty = "own_model_not_compared" if model else "model_of_judge_not_set"
    if answers.origins.null_count == len(answers.origins):
        empty = "writers_not_known"
    return Sample("self_preference", (rater,), wins, compared.prompts[told], empty)


def _alike(one: Rater, other: Rater) -> Sample:
    first, second = _both(one.compared, other.compared)
    alike = 1 - np.abs(first.directions - second.directions) / 2
    return Sample("listwise_pointwise_agreement", (one, other), alike, first.prompts, "nothing_shared")


def _kappa(one: Rater, other: Rater) -> Sample:
    first, second = _both(one.compared, other.compared)
    cells = kappa_parts(first.directions + 1, second.directions + 1, DIRECTIONS)
    # Each comparison counts in both orders of its answers, as which of them comes first means nothing.
    return Sample("kappa", (one, other), cells + cells[:, ::-1], first.prompts, "nothing_shared", kappa)


def _alpha_of_scores(figure: str, raters: Sequence[Rater], answers: Answers, mode: str | None) -> Sample:
    scores = [rater.means for rater in raters if rater.means is not None]
    units, parts = interval_parts(
        _joined([each.answers for each in scores], np.int64), _joined([each.overalls for each in scores], np.float64)
    )
    return Sample(figure, (), parts, answers.prompts[units], "nothing_shared", interval_alpha, mode)


def _alpha_of_directions(raters: Sequence[Rater], mode: str | None) -> Sample:
    compared = _joined([rater.compared.units for rater in raters], np.int64)
    directions = _joined([rater.compared.directions + 1 for rater in raters], np.int64)
    units, parts = nominal_parts(compared, directions, DIRECTIONS)
    # In both orders, as for kappa: disagreement doubles, and each category also counts as its opposite.
    parts = np.column_stack([2 * parts[:, 0], parts[:, 1:] + parts[:, :0:-1]])
    known, places = np.unique(compared, return_index=True)
    prompts = _joined([rater.compared.prompts for rater in raters], np.int64)[places[np.searchsorted(known, units)]]
    return Sample("alpha_direction", (), parts, prompts, "nothing_shared", nominal_alpha, mode)


def _wins(directions: Codes, side: Codes) -> Floats:
    """1 where the first answer wins and `side` is 1, or the second does and it is -1; 0.5 for a tie."""
    return (1 + directions * side) / 2


def _both(one: Compared, other: Compared) -> tuple[Compared, Compared]:
    """What is compared in both, in the same order."""
    _, first, second = np.intersect1d(one.units, other.units, assume_unique=True, return_indices=True)
    return take(one, first), take(other, second)


def _mask(values: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False), bool)


def _joined(arrays: Sequence[NDArray], kind: type) -> NDArray:
    return np.concatenate([np.zeros(0, kind), *arrays])


def _row(sample: Sample, source: str, chosen: slice | NDArray[np.bool_], how: Resampling) -> dict:
    one, other = (*sample.raters, None, None)[:2]
    names = {
        "figure": sample.figure,
        "source": source,
        "mode": one.mode if one else sample.mode,
        "judge": one.judge if one else None,
        "other_mode": other.mode if other else None,
        "other_judge": other.judge if other else None,
    }
    parts, prompts = sample.parts[chosen], sample.prompts[chosen]
    if sample.statistic is None:
        told = estimate_share(parts, prompts, how, sample.empty)
    else:
        told = _unless_alike(estimate(parts, prompts, sample.statistic, how, sample.empty))
    return {"figure_id": content_id("reliability", *(name or "" for name in names.values())), **names, **asdict(told)}


def _unless_alike(told: Estimate) -> Estimate:
    """The figure without an interval that is a point: all samples are alike where no two raters ever differ."""
    if told.interval is None or told.low != told.high:
        return told
    return replace(told, low=None, high=None, interval=None, note="all_prompts_alike")
