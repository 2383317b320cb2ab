"""How the loop is drawn: one upright picture for the start and one per iteration, with counts on the arrows."""

from markupsafe import Markup

from dt2it_ray.report.content import Construction, Round
from dt2it_ray.report.svg import picture, tag, text

WIDTH = 348.0
HEIGHT = 468.0
BOX_HEIGHT = 40.0
LEFT, RIGHT = 78.0, 262.0
NARROW, JUDGES, WIDE = 140.0, 160.0, 220.0
EDGE = LEFT + NARROW / 2
"""Where the boxes of the left column end."""
NOTE_GAP = 16.0


def start_picture(start: Construction) -> Markup:
    """From prompts and text-to-image rows to the first model."""
    parts = [
        _box(LEFT, 4, NARROW, "Prompts"),
        _arrow(LEFT, 44, 88, _count(start.prompts, "prompts")),
        _box(LEFT, 88, NARROW, "Sample answers"),
        _fork(128, 172, _count(start.answered, "comparable"), (LEFT, RIGHT)),
        _box(LEFT, 172, NARROW, "Listwise judge"),
        _box(RIGHT, 172, NARROW, "Pointwise judge"),
        _arrow(LEFT, 212, 256, _count(start.listwise, "judged")),
        _elbow(RIGHT, 212, 276, EDGE, _count(start.pointwise, "judged")),
        _box(LEFT, 256, NARROW, "Both agree"),
        _box(RIGHT, 348, JUDGES, "Text-to-image rows"),
        _arrow(LEFT, 296, 424, _count(start.pairs, "pairs"), 316),
        _notes(LEFT + 9, 316 + NOTE_GAP, _of(start.agreed, start.compared)),
        _elbow(RIGHT, 388, 444, LEFT + 150, _count(start.t2i, "rows")),
        _box(LEFT + 40, 424, WIDE, f"Train {start.model}", "box-end"),
    ]
    told = (
        f"{_told(start.prompts)} prompts; {_told(start.agreed)} of {_told(start.compared)} comparisons on which the "
        f"listwise and the pointwise judge agree; {_told(start.pairs)} constructed pairs and {_told(start.t2i)} "
        f"text-to-image rows train {start.model}"
    )
    return picture(WIDTH, HEIGHT, f"The start: {told}", *parts, class_="loop")


def round_picture(counts: Round) -> Markup:
    """From the open pool to the retrained model of one iteration."""
    confirmed, judged = counts.consistent, counts.rejudged
    settled = judged.get("kept", 0) + judged.get("flipped", 0)
    parts = [
        _box(LEFT, 4, NARROW, "Open pool"),
        _arrow(LEFT, 44, 88, f"{counts.pool:,} pairs"),
        _box(LEFT, 88, NARROW, f"{counts.voters} voter{'s' if counts.voters != 1 else ''} vote"),
        _arrow(LEFT, 128, 172, f"{counts.flipped_by_vote:,} flipped", class_="flipped"),
        _box(LEFT, 172, NARROW, "Consistency model"),
        _branch(EDGE, 192, 246, RIGHT, f"{counts.doubted:,} doubted"),
        _arrow(LEFT, 212, 346, f"{sum(confirmed.values()):,}", 262),
        _notes(LEFT + 9, 262 + NOTE_GAP, "confirmed,", f"{confirmed.get('flipped', 0):,} flipped"),
        _box(RIGHT, 246, JUDGES, "Judges, both orders"),
        _arrow(RIGHT + 56, 286, 301, ""),
        text(WIDTH - 2, 315, f"{judged.get('dropped', 0):,} dropped", "arrow-note", "end"),
        _elbow(RIGHT - 50, 286, 358, EDGE, f"{settled:,} settled", 336),
        _notes(RIGHT - 41, 336 + NOTE_GAP, f"{judged.get('flipped', 0):,} flipped"),
        _box(LEFT, 346, NARROW, "Merge"),
        _path(f"M{RIGHT - 41:g} 376H{EDGE + 2:g}") + _head(EDGE, 376, left=True),
        text(RIGHT - 34, 380, f"{counts.trusted:,} trusted", "arrow-label"),
        _arrow(LEFT, 386, 424, f"{counts.merged:,} pairs", 410),
        _box(LEFT + 40, 424, WIDE, f"Retrain {counts.name}", "box-end"),
    ]
    told = (
        f"{counts.pool:,} pairs of the open pool; {counts.voters} voters flip {counts.flipped_by_vote:,}; the "
        f"consistency model confirms {sum(confirmed.values()):,} and doubts {counts.doubted:,}; of these the judges "
        f"keep {judged.get('kept', 0):,}, flip {judged.get('flipped', 0):,} and drop {judged.get('dropped', 0):,}; "
        f"with {counts.trusted:,} trusted pairs, {counts.merged:,} pairs train {counts.name}"
    )
    return picture(WIDTH, HEIGHT, f"{counts.name}: {told}", *parts, class_="loop")


def _box(centre: float, top: float, width: float, words: str, class_: str = "box") -> Markup:
    frame = tag("rect", x=centre - width / 2, y=top, width=width, height=BOX_HEIGHT, rx=4, class_=class_)
    return frame + text(centre, top + 25, words, f"{class_}-label", "middle")


def _notes(x: float, y: float, *lines: str) -> Markup:
    """Small lines one under the other."""
    return Markup("").join(text(x, y + NOTE_GAP * place, words, "arrow-note") for place, words in enumerate(lines))


def _arrow(x: float, top: float, bottom: float, words: str, words_y: float = 0, class_: str = "") -> Markup:
    """Straight down, the words on its right (near the middle unless `words_y` is given)."""
    drawn = _path(f"M{x:g} {top:g}V{bottom - 2:g}", class_) + _head(x, bottom)
    return drawn + text(x + 9, words_y or (top + bottom) / 2 + 4, words, f"arrow-label {class_}".strip())


def _fork(top: float, bottom: float, words: str, ends: tuple[float, float]) -> Markup:
    """Down from the first end, then on to both."""
    first, second = ends
    line = _path(f"M{first:g} {top:g}V{bottom - 2:g}M{first:g} {top + 10:g}H{second:g}V{bottom - 2:g}")
    return line + _head(first, bottom) + _head(second, bottom) + text(first + 9, top + 29, words, "arrow-label")


def _elbow(x: float, top: float, bottom: float, to_x: float, words: str, words_y: float = 0) -> Markup:
    """Down, then leftwards into a box, the words on the right of the first half."""
    line = _path(f"M{x:g} {top:g}V{bottom:g}H{to_x + 2:g}") + _head(to_x, bottom, left=True)
    return line + text(x + 9, words_y or top + 26, words, "arrow-label")


def _branch(x: float, y: float, bottom: float, to_x: float, words: str) -> Markup:
    """Rightwards out of a box, then down into another, the words on the left of the second half."""
    line = _path(f"M{x:g} {y:g}H{to_x:g}V{bottom - 2:g}") + _head(to_x, bottom)
    return line + text(to_x - 8, y + 34, words, "arrow-label", "end")


def _path(drawn: str, class_: str = "") -> Markup:
    return tag("path", d=drawn, class_=f"arrow {class_}".strip())


def _head(x: float, y: float, left: bool = False) -> Markup:
    drawn = f"M{x + 7:g} {y - 4:g}L{x:g} {y:g}L{x + 7:g} {y + 4:g}" if left else f"M{x - 4:g} {y - 7:g}L{x:g} {y:g}"
    return tag("path", d=drawn if left else f"{drawn}L{x + 4:g} {y - 7:g}", class_="arrow-head")


def _count(number: int | None, words: str) -> str:
    return words if number is None else f"{number:,} {words}"


def _of(part: int | None, whole: int | None) -> str:
    return "" if part is None or whole is None else f"{part:,} of {whole:,} agreed"


def _told(number: int | None) -> str:
    return "an unknown number of" if number is None else f"{number:,}"
