"""How the result of an evaluation reads as Markdown, and in a few lines on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]


def models_of(result: Figures) -> Mapping[str, Figures]:
    """The figures of a result by model."""
    return result.get("models") or {result["model"]: result}


def evaluation_lines(result: Figures) -> list[str]:
    """What a terminal shows: a line per model, comparisons, and whatever makes the figures unlike official ones."""
    lines = [
        f"{name}: accuracy {spoken(figures)}, macro {share(figures['macro_accuracy'])}{_acc_plus(figures)}, "
        f"{figures['ties']} ties, {figures['unscored']} without rewards"
        for name, figures in models_of(result).items()
    ]
    first = next(iter(models_of(result).values()))
    lines.append(f"for comparison: longer wins {share(first['longer_wins'])}, shorter {share(first['shorter_wins'])}")
    lines += [_judged(name, figures["judge"]) for name, figures in models_of(result).items() if "judge" in figures]
    return [*lines, *map(_compared, result.get("comparisons", ())), *warnings(result)]


def warnings(result: Figures) -> list[str]:
    """What a reader must know before comparing with other figures of the same benchmark."""
    rows = result["rows"]
    told = []
    if rows["as_released"] is False:
        released = " or ".join(f"{count:,}" for count in rows["released_n"])
        told.append(f"{rows['n']:,} rows, while the release has {released}: figures compare with no published one")
    columns = result.get("columns", {})
    if columns.get("left_out"):
        names = ", ".join(columns["left_out"])
        told.append(f"{names} are in none of the {columns['over']}, whose mean leaves them out")
    if rows["refused"]["n"]:
        told.append(f"{rows['refused']['n']:,} rows cannot be used and are not counted: {rows['refused']['first'][0]}")
    return told


def evaluation_markdown(result: Figures) -> str:
    """The whole result as a page of Markdown."""
    models = models_of(result)
    first = next(iter(models.values()))
    level = f"{first['level']:.0%}"
    parts = [
        f"# {result['benchmark']}",
        f"{first['n']:,} pairs. Strict >: ties and pairs without rewards are wrong. Intervals: {level} bootstrap over "
        f"pairs. Macro: plain mean over {first['macro_over']}.",
        *(f"**{warning}.**" for warning in warnings(result)),
        _table(("model", "accuracy", "interval", "macro", "Acc+", "ties", "ties half"), map(_line, models.values())),
        f"Length alone: the longer answer wins {share(first['longer_wins'])}, the shorter "
        f"{share(first['shorter_wins'])}.",
    ]
    if result.get("comparisons"):
        heads = ("first", "second", "difference", "interval", "only first", "only second", "p", "test")
        parts += ["## Compared pair by pair", _table(heads, map(_comparison, result["comparisons"]))]
    parts += [_judged(name, figures["judge"]) for name, figures in models.items() if "judge" in figures]
    for name, figures in models.items():
        parts += _sections(name, figures)
    return "\n\n".join(parts) + "\n"


def _sections(name: str, figures: Figures) -> list[str]:
    heads = ("category", "n", "correct", "accuracy", "interval", "longer wins", "shorter wins")
    parts = [f"## {_cell(name)}", _table(heads, (_category(key, part) for key, part in figures["categories"].items()))]
    if "columns" in figures:
        scores = figures["columns"]["scores"].items()
        parts.append(_table((figures["columns"]["over"], "n", "score"), (_column(key, part) for key, part in scores)))
    rows = ((size_in_words(entry), entry["n"], share(entry["accuracy"])) for entry in figures["by_length_difference"])
    parts += ["### By length of the answers", _table(("the chosen answer is", "n", "accuracy"), rows)]
    if figures["by_strength"]:
        bins = ((f"{e['least']:g} to {e['most']:g}", e["n"], share(e["accuracy"])) for e in figures["by_strength"])
        parts += ["### By strength of the preference", _table(("strength", "n", "accuracy"), bins)]
    if figures["calibration"] and figures["calibration"]["n"]:
        curve = [entry for entry in figures["calibration"]["curve"] if entry["n"]]
        ece, loss = figures["calibration"]["ece"], figures["calibration"]["log_loss"]
        parts += [f"### Calibration of sigmoid(margin): ECE {ece:.4f}, log loss {loss:.4f}"]
        bins = ((f"{e['low']:g} to {e['high']:g}", e["n"], share(e["confidence"]), share(e["accuracy"])) for e in curve)
        parts.append(_table(("confidence", "n", "mean confidence", "accuracy"), bins))
    return parts


def spoken(figures: Figures) -> str:
    """An accuracy with its interval and counts."""
    return (
        f"{share(figures['accuracy'])} [{interval(figures['interval'])}] ({figures['correct']:,} of {figures['n']:,})"
    )


def share(value: float | None) -> str:
    """A share as a percentage with two decimals; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.2f}"


def interval(ends: Sequence[float] | None) -> str:
    """Both ends as percentages."""
    return "–" if ends is None else f"{share(ends[0])} to {share(ends[1])}"


def _line(figures: Figures) -> tuple[Any, ...]:
    return (
        figures["model"],
        share(figures["accuracy"]),
        interval(figures["interval"]),
        share(figures["macro_accuracy"]),
        share(figures["acc_plus"]),
        figures["ties"],
        share(figures["accuracy_ties_half"]),
    )


def _category(name: str, part: Figures) -> tuple[Any, ...]:
    ends = interval(part["interval"])
    baselines = share(part["longer_wins"]), share(part["shorter_wins"])
    return name, part["n"], part["correct"], share(part["accuracy"]), ends, *baselines


def _column(name: str, part: Figures) -> tuple[Any, ...]:
    return name, part["n"], share(part["accuracy"])


def _comparison(told: Figures) -> tuple[Any, ...]:
    counts = told["only_first"], told["only_second"]
    ends = interval(told["interval"])
    return (
        told["first"],
        told["second"],
        share(told["difference"]),
        ends,
        *counts,
        f"{told['p_value']:.4f}",
        told["test"],
    )


def _compared(told: Figures) -> str:
    return (
        f"{told['first']} minus {told['second']}: {share(told['difference'])} points "
        f"[{interval(told['interval'])}], p = {told['p_value']:.4f} ({told['test']})"
    )


def size_in_words(entry: Figures) -> str:
    """A bin of length differences, as a reader says it."""
    if entry["chosen"] == "equal":
        return "equally long"
    most = f"{entry['least']:,} to {entry['most']:,}" if entry["most"] else f"more than {entry['least'] - 1:,}"
    return f"{entry['chosen']} by {most} characters"


def _judged(name: str, told: Figures) -> str:
    dropped = told["majority_dropped"]
    return (
        f"{name}: {told['unparsable']:,} of {told['verdicts']:,} verdicts unparsable; with {dropped['dropped']:,} such "
        f"rows and {dropped['undecided']:,} undecided ones left out {share(dropped['accuracy'])}, macro "
        f"{share(dropped['macro_accuracy'])}; the same in both orders {share(told['position_consistency'])}, "
        f"the first shown preferred {share(told['first_shown_preferred'])}"
    )


def _acc_plus(figures: Figures) -> str:
    return "" if figures["acc_plus"] is None else f", Acc+ {share(figures['acc_plus'])}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|").replace("\n", " ")
