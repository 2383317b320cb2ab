"""How far each judge can be trusted: flips with the order, longer and own answers preferred, agreement with others."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dt2it_ray.data.figures import RELIABILITY
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.origins import DEGRADED, MODEL
from dt2it_ray.rules.agreement import interval_alpha, interval_parts, kappa, kappa_parts, nominal_alpha, nominal_parts
from dt2it_ray.rules.comparisons import Compared, compare, take
from dt2it_ray.rules.intervals import Codes, Floats, Resampling, Statistic, estimate, estimate_share
from dt2it_ray.rules.raters import Answers, Rater, judged

LISTWISE, POINTWISE = "listwise", "pointwise"
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
    judgements: pa.Table, answers: pa.Table, sources: pa.Table, models: Mapping[str, str], how: Resampling
) -> pa.Table:
    """RELIABILITY of a table of JUDGEMENTS, over all prompts (`source` empty) and by source, sorted by `figure_id`.

    `answers` has answer_id, characters and origin, `sources` prompt_id and source; `models` says by mode and judge
    (`listwise/annotator-0`) which model a judge is. docs/reliability.md defines each figure.

    Raises:
        StageFailed: a judged answer or prompt is missing from `answers` or `sources`.
    """
    known = judged(judgements, answers, sources)
    rows = []
    for sample in _samples(known.raters, known.answers, models):
        source = known.source_of[sample.prompts]
        rows.append(_row(sample, "", slice(None), how))
        rows += [_row(sample, name, source == place, how) for place, name in enumerate(known.sources) if name]
    return pa.Table.from_pylist(rows, schema=RELIABILITY).sort_by("figure_id")


def _samples(raters: Sequence[Rater], answers: Answers, models: Mapping[str, str]) -> Iterator[Sample]:
    for rater in raters:
        if rater.mode == LISTWISE:
            yield _position_flips(rater, len(answers.characters))
            yield _first_shown_wins(rater)
        yield _longer_wins(rater, answers)
        yield _self_preference(rater, answers, models)
    for one, other in itertools.combinations(raters, 2):
        if (one.mode, other.mode) == (LISTWISE, POINTWISE):
            yield _alike(one, other)
        yield _kappa(one, other)
    for mode in (LISTWISE, POINTWISE, None):
        members = [rater for rater in raters if mode in (None, rater.mode)]
        yield _alpha_of_overalls(members, answers, mode)
        yield _alpha_of_directions(members, answers, mode)


def _position_flips(rater: Rater, answers: int) -> Sample:
    orders = [compare(take(rater.ratings, rater.ratings.shown == shown)) for shown in (0, 1)]
    places = _shared(*(order.units(answers) for order in orders))
    first, second = (take(order, place) for order, place in zip(orders, places, strict=True))
    turned = first.first_shown_first != second.first_shown_first
    flips = (np.abs(first.directions - second.directions) / 2)[turned]
    return Sample("position_flip_rate", (rater,), flips, first.prompts[turned], "one_order_only")


def _first_shown_wins(rater: Rater) -> Sample:
    orders = [compare(take(rater.ratings, rater.ratings.shown == shown)) for shown in (0, 1)]
    wins = [_wins(order.directions, np.where(order.first_shown_first, 1, -1)) for order in orders]
    prompts = np.concatenate([order.prompts for order in orders])
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
    return Sample("self_preference", (rater,), wins, compared.prompts[told], empty)


def _alike(one: Rater, other: Rater) -> Sample:
    first, second = _both(one, other)
    alike = 1 - np.abs(first.directions - second.directions) / 2
    return Sample("listwise_pointwise_agreement", (one, other), alike, first.prompts, "nothing_shared")


def _kappa(one: Rater, other: Rater) -> Sample:
    first, second = _both(one, other)
    cells = kappa_parts(first.directions + 1, second.directions + 1, DIRECTIONS)
    # Each comparison counts in both orders of its answers, as which of them comes first means nothing.
    return Sample("kappa", (one, other), cells + cells[:, ::-1], first.prompts, "nothing_shared", kappa)


def _alpha_of_overalls(raters: Sequence[Rater], answers: Answers, mode: str | None) -> Sample:
    units, parts = interval_parts(
        _joined([rater.means.answers for rater in raters], np.int64),
        _joined([rater.means.overalls for rater in raters], np.float64),
    )
    return Sample("alpha_overall", (), parts, answers.prompts[units], "nothing_shared", interval_alpha, mode)


def _alpha_of_directions(raters: Sequence[Rater], answers: Answers, mode: str | None) -> Sample:
    units, parts = nominal_parts(
        _joined([rater.units for rater in raters], np.int64),
        _joined([rater.compared.directions + 1 for rater in raters], np.int64),
        DIRECTIONS,
    )
    # In both orders, as for kappa: disagreement doubles, and each category also counts as its opposite.
    parts = np.column_stack([2 * parts[:, 0], parts[:, 1:] + parts[:, :0:-1]])
    prompts = answers.prompts[units // len(answers.prompts)] if len(units) else units
    return Sample("alpha_direction", (), parts, prompts, "nothing_shared", nominal_alpha, mode)


def _wins(directions: Codes, side: Codes) -> Floats:
    """1 where the first answer wins and `side` is 1, or the second does and it is -1; 0.5 for a tie."""
    return (1 + directions * side) / 2


def _both(one: Rater, other: Rater) -> tuple[Compared, Compared]:
    """The comparisons that both raters made."""
    first, second = _shared(one.units, other.units)
    return take(one.compared, first), take(other.compared, second)


def _shared(one: Codes, other: Codes) -> tuple[Codes, Codes]:
    """Where the numbers stand that both have."""
    _, first, second = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return first, second


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
        told = estimate(parts, prompts, sample.statistic, how, sample.empty)
    return {"figure_id": content_id("reliability", *(name or "" for name in names.values())), **names, **asdict(told)}
