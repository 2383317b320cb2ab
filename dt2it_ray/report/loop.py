"""How the loop is drawn: one upright picture for the start and one per iteration, with counts on the arrows."""

from markupsafe import Markup

from dt2it_ray.report.content import Construction, Round
from dt2it_ray.report.svg import picture, tag, text

WIDTH = 348.0
HEIGHT = 452.0
BOX_HEIGHT = 40.0
LEFT, MIDDLE, RIGHT = 92.0, 174.0, 256.0
NARROW, WIDE = 148.0, 212.0


def start_picture(start: Construction) -> Markup:
    """From prompts and text-to-image rows to the first model."""
    parts = [
        _box(LEFT, 4, NARROW, "Prompts"),
        _arrow(LEFT, 44, 88, _count(start.prompts, "prompts")),
        _box(LEFT, 88, NARROW, "Sample answers"),
        _fork(128, 172, _count(start.answered, "with 2 or more answers"), (LEFT, RIGHT)),
        _box(LEFT, 172, NARROW, "Listwise judge"),
        _box(RIGHT, 172, NARROW, "Pointwise judge"),
        _arrow(LEFT, 212, 256, _count(start.listwise, "judged")),
        _elbow(RIGHT, 212, 276, LEFT + NARROW / 2, _count(start.pointwise, "judged")),
        _box(LEFT, 256, NARROW, "Both agree"),
        _box(RIGHT, 312, NARROW, "Text-to-image rows"),
        _arrow(LEFT, 296, 408, _count(start.pairs, "pairs")),
        text(LEFT + 9, 370, _of(start.agreed, start.compared), "arrow-note"),
        _elbow(RIGHT, 352, 428, MIDDLE + 80, _count(start.t2i, "rows")),
        _box(LEFT + 30, 408, WIDE, f"Train {start.model}", "box-end"),
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
    stayed = judged.get("kept", 0) + judged.get("flipped", 0)
    parts = [
        _box(LEFT, 4, NARROW, "Open pool"),
        _arrow(LEFT, 44, 88, _count(counts.pool, "pairs")),
        _box(LEFT, 88, NARROW, f"{counts.voters} voter{'s' if counts.voters != 1 else ''} vote"),
        _arrow(LEFT, 128, 172, _count(counts.flipped_by_vote, "flipped"), "flipped"),
        _box(LEFT, 172, NARROW, "Consistency model"),
        _elbow(LEFT + NARROW / 2, 192, 246, RIGHT + 30, _count(counts.doubted, "doubted"), sideways=True),
        _arrow(LEFT, 212, 330, _count(sum(confirmed.values()), "confirmed")),
        text(LEFT + 9, 292, f"{confirmed.get('flipped', 0):,} stay flipped", "arrow-note"),
        _box(RIGHT, 246, NARROW, "Judges, both orders"),
        _elbow(RIGHT, 286, 350, LEFT + NARROW / 2, _count(stayed, "stay")),
        text(RIGHT + 9, 330, f"{judged.get('flipped', 0):,} flipped", "arrow-note"),
        text(RIGHT + 9, 346, f"{judged.get('dropped', 0):,} dropped", "arrow-note"),
        _box(LEFT, 330, NARROW, "Merge"),
        text(RIGHT + 82, 374, f"+ {counts.trusted:,} trusted", "arrow-note", "end"),
        _arrow(LEFT, 370, 408, _count(counts.merged, "pairs")),
        _box(LEFT + 30, 408, WIDE, f"Retrain {counts.name}", "box-end"),
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


def _arrow(x: float, top: float, bottom: float, words: str, class_: str = "") -> Markup:
    drawn = _path(f"M{x:g} {top:g}V{bottom - 2:g}", class_) + _head(x, bottom)
    return drawn + text(x + 9, top + 27 if bottom - top < 60 else top + 44, words, f"arrow-label {class_}".strip())


def _fork(top: float, bottom: float, words: str, ends: tuple[float, float]) -> Markup:
    """Down from the first end, then on to both."""
    first, second = ends
    line = _path(f"M{first:g} {top:g}V{bottom - 2:g}M{first:g} {top + 12:g}H{second:g}V{bottom - 2:g}", "")
    return line + _head(first, bottom) + _head(second, bottom) + text(first + 9, top + 30, words, "arrow-label")


def _elbow(x: float, y: float, to_y: float, to_x: float, words: str, sideways: bool = False) -> Markup:
    """Down then leftwards into a box; `sideways`: rightwards first, then down into one."""
    if sideways:
        line = _path(f"M{x:g} {y:g}H{to_x:g}V{to_y - 2:g}", "")
        return line + _head(to_x, to_y) + text(to_x - 7, y + 34, words, "arrow-label", "end")
    line = _path(f"M{x:g} {y:g}V{to_y:g}H{to_x + 2:g}", "")
    return line + _head(to_x, to_y, left=True) + text(x + 9, y + 24, words, "arrow-label")


def _path(drawn: str, class_: str) -> Markup:
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
