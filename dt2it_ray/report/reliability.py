"""How far judges and labels can be trusted, as the page shows it: tables of judges, and of style before and after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dt2it_ray.data.attributes import ATTRIBUTES
from dt2it_ray.report.content import Bias

OF_JUDGES = {
    "position_flip_rate": "turns with the order",
    "first_shown_wins": "first shown wins",
    "longer_wins": "longer wins",
    "self_preference": "own model wins",
}
AGREEMENT = {
    "listwise_pointwise_agreement": "ordered alike",
    "kappa": "kappa",
    "alpha_direction": "alpha of directions",
    "alpha_overall": "alpha of scores",
}
ON_ATTRIBUTES = {f"alpha_{name}": name for name in ATTRIBUTES}
OF_STYLE = {"probe_auc": "AUC of the probe", "longer_wins": "longer is chosen"}
SINGLE = "feature_auc"
BEFORE, AFTER = ("raw", "before"), ("constructed", "after")
NOTES = {
    "no_comparisons": "no comparisons",
    "no_pairs": "no pairs",
    "one_order_only": "shown in one order only",
    "no_lengths_differ": "all of equal length",
    "own_model_not_compared": "no answers of its own",
    "model_of_judge_not_set": "its model is not set",
    "writers_not_known": "nobody tells who wrote the answers",
    "nothing_shared": "nothing in common",
    "no_variation": "all the same",
    "never_differs": "never differs",
    "too_few_prompts": "too few prompts",
    "all_prompts_alike": "no prompt differs",
}


@dataclass(frozen=True)
class Shown:
    """One figure in a table, and below it how sure it is or why there is none."""

    value: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a table: a heading and a figure per column; `within` another row if it is of one source."""

    heading: str
    cells: Sequence[Shown]
    within: bool = False


@dataclass(frozen=True)
class Grid:
    """A table with its caption. A group of rows begins with that of all sources."""

    caption: str
    corner: str
    columns: Sequence[str]
    groups: Sequence[Sequence[Row]]


def judge_grids(figures: Sequence[Bias]) -> list[Grid]:
    """What each judge does by itself, and how far the judges agree; without figures, nothing."""
    single = [told for told in figures if told.figure in OF_JUDGES]
    shared = [told for told in figures if told.figure in AGREEMENT]
    rated = [told for told in figures if told.figure in ON_ATTRIBUTES]
    grids = [
        _grid("Judges", "Judge", OF_JUDGES, single, lambda told: told.about),
        _grid("Agreement between judges", "Judges", AGREEMENT, shared, lambda told: told.about),
        _grid("Agreement of granular raters, alpha", "Raters", ON_ATTRIBUTES, rated, lambda told: told.about),
    ]
    return [grid for grid in grids if grid.groups]


def style_grids(figures: Sequence[Bias]) -> list[Grid]:
    """How well style tells the labels of each set of pairs, raw ones first; without figures, nothing."""
    sets = {name: _set_heading(name) for name in sorted({told.about for told in figures}, key=_set_order)}
    joint = [told for told in figures if told.figure in OF_STYLE]
    single = [told for told in figures if told.figure == SINGLE and told.value is not None]
    grids = [
        _grid("Style against labels", "Figure", sets, joint, lambda told: OF_STYLE[told.figure], _column_of_set),
        _grid("Style against labels, one feature at a time", "AUC of", sets, single, _feature, _column_of_set),
    ]
    return [grid for grid in grids if grid.groups]


def _grid(
    caption: str,
    corner: str,
    columns: Mapping[str, str],
    figures: Sequence[Bias],
    heading: Callable[[Bias], str],
    column: Callable[[Bias], str] = lambda told: told.figure,
) -> Grid:
    """Figures laid out by heading and column, with a row per source where a heading has several."""
    cells = {(heading(told), told.source, column(told)): told for told in figures}
    sources: dict[str, set[str]] = {heading(told): set() for told in figures}
    for told in figures:
        sources[heading(told)] |= {told.source} - {""}
    used = [name for name in columns if any(key[2] == name for key in cells)]

    def row(name: str, source: str) -> Row:
        return Row(source or name, [_shown(cells.get((name, source, key))) for key in used], within=bool(source))

    inner = {name: sorted(found) if len(found) > 1 else [] for name, found in sources.items()}
    groups = [[row(name, ""), *(row(name, source) for source in inner[name])] for name in sources]
    kept = [[group[0], *(line for line in group[1:] if any(cell.value for cell in line.cells))] for group in groups]
    return Grid(caption, corner, [columns[name] for name in used], kept)


def _shown(told: Bias | None) -> Shown:
    if told is None:
        return Shown()
    reason = NOTES.get(told.note or "", told.note or "")
    if told.value is None:
        return Shown("", reason)
    ends = f"{told.low:.3f} to {told.high:.3f}" if told.low is not None and told.high is not None else reason
    return Shown(f"{told.value:.3f}", ", ".join(filter(None, (ends, f"n {told.n:,}"))))


def _column_of_set(told: Bias) -> str:
    return told.about


def _feature(told: Bias) -> str:
    return told.feature.replace("_", " ")


def _set_order(name: str) -> tuple[int, str]:
    return (0 if name in BEFORE else 1 if name in AFTER else 2), name


def _set_heading(name: str) -> str:
    when = "before" if name in BEFORE else "after" if name in AFTER else ""
    return name if when in ("", name) else f"{when} ({name})"
