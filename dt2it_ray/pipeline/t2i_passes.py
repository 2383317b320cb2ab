"""How the rows of a share of a text-to-image file become pairs, each asked for its side, or are refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import IO, Any, Literal

import orjson

from dt2it_ray.data.formats.t2i.choice import Choice, Refusal, RowRefused
from dt2it_ray.data.formats.t2i.comparison import Pair, image_name, key_of
from dt2it_ray.data.formats.t2i.read import Row, read_choices
from dt2it_ray.data.formats.t2i.shapes import SHAPES
from dt2it_ray.pipeline.t2i_images import find_image_fault
from dt2it_ray.pipeline.t2i_rows import Share, read_rows
from dt2it_ray.rules.position import drawer, is_low
from dt2it_ray.rules.t2i_pairs import PREFERRED_FIRST, Pairing, at_most, form_pairs

DATA_SET = "t2i"
"""The group in which positions are drawn: a file is one data set, whatever its name."""

AS_LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class T2iOptions:
    """What decides about the rows of a conversion."""

    shape: str = ""
    """A name of SHAPES; to be found by looking at the rows if empty."""
    seed: int = 42
    ties: Literal["keep", "drop"] = "keep"
    """Images of equal score become a pair whose chosen answer says so, or no pair."""
    least_gap: float = 0.0
    """Pairs whose scores are nearer are left out."""
    pairing: Pairing = "all"
    """Of more than two images: every two, or the best against each of the others."""
    most_pairs: int = 0
    """Of more than two images: at most so many pairs, drawn by content; 0 for all."""
    swap_augment: bool = False
    """Every pair is written twice, in both orders."""
    check_images: str | None = None
    """The folder that image paths are relative to, if images are to be opened."""


@dataclass
class Draws:
    """The draws of a share's pairs in their order: of those with a preferred image, and of ties."""

    preferred: bytearray = field(default_factory=bytearray)
    tied: bytearray = field(default_factory=bytearray)


@dataclass
class Counts:
    """What became of the rows of a share."""

    rows: int = 0
    pairs: int = 0
    ties: int = 0
    preferred_first: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Rows by reason."""


Sink = Callable[[Choice, Pair, bool], Any]
"""Takes rows in their order; the flag says whether the better image is shown first."""

Side = Callable[[Choice, Pair], bool]
"""Says on which side a pair shows its better image, asked once for every pair in order."""


def draw_into(draws: Draws, options: T2iOptions) -> Side:
    """Draws for every pair it is asked about; it answers by the draw alone, which is right for nearly all pairs."""
    draw, preferred, tied = drawer(options.seed, DATA_SET), draws.preferred, draws.tied

    def side(choice: Choice, pair: Pair) -> bool:
        drawn = draw(key_of(choice, pair))
        (tied if pair[3] else preferred).extend(drawn)
        return is_low(drawn)

    return side


def known_sides(preferred: bytes, tied: bytes) -> Side:
    """Answers what is known of the pairs of either kind, a byte for each in order."""
    sides = (iter(preferred), iter(tied))
    return lambda _, pair: next(sides[pair[3]]) == 1


def write_share(share: Share, options: T2iOptions, side: Side, sink: Sink, dropped: IO[bytes]) -> Counts:
    """Give every pair of a share to `sink`. Refused rows are written to `dropped` as lines of JSON."""
    counts = Counts()
    for rows, choice in read_choices(read_rows(share), SHAPES[options.shape]):
        counts.rows += len(rows)
        if isinstance(choice, RowRefused):
            _drop(rows, choice, counts, dropped)
            continue
        pairs = find_pairs(choice, options)
        if isinstance(pairs, RowRefused):
            _drop(rows, pairs, counts, dropped)
            continue
        for pair in pairs:
            first = side(choice, pair)
            sink(choice, pair, first)
            if options.swap_augment:
                sink(choice, pair, not first)
    return counts


def _drop(rows: Sequence[Row], refusal: RowRefused, counts: Counts, dropped: IO[bytes]) -> None:
    counts.dropped[refusal.reason] = counts.dropped.get(refusal.reason, 0) + len(rows)
    dropped.writelines(map(dropped_line, rows, repeat(refusal)))


def find_pairs(choice: Choice, options: T2iOptions) -> Sequence[Pair] | RowRefused:
    """The pairs of a choice, at least one, or why there are none."""
    _, images, scores = choice
    if options.check_images is not None and (fault := find_image_fault(images, options.check_images)):
        return fault
    if scores is None:
        return PREFERRED_FIRST
    pairs = form_pairs(scores, options.pairing, options.ties == "keep", options.least_gap)
    if not pairs:
        return _no_pair(scores, options)
    if options.most_pairs:
        return at_most(pairs, options.most_pairs, [image_name(image) for image in images], options.seed)
    return pairs


def _no_pair(scores: Any, options: T2iOptions) -> RowRefused:
    """Why images with these scores give no pair."""
    shown = ", ".join(f"{score:g}" for score in scores[:8])
    if len(set(scores)) == 1:
        return RowRefused(Refusal.TIED, "score", f"the images score the same ({shown}) and ties are dropped")
    return RowRefused(Refusal.GAP_TOO_SMALL, "score", f"no gap of {shown} reaches {options.least_gap:g}")


def dropped_line(row: Row, refusal: RowRefused) -> bytes:
    """The line of a refused row in the file of refused rows: where it stood, why, and all of it."""
    number, raw = row
    line = {
        "row": number,
        "field": refusal.field,
        "reason": str(refusal.reason),
        "detail": refusal.problem,
        "raw": raw,
    }
    try:
        return orjson.dumps(line, default=_as_text, option=AS_LINE)
    except orjson.JSONEncodeError as error:
        # orjson reads four times as many levels as it writes.
        return orjson.dumps({**line, "raw": f"cannot be written again: {error}"}, option=AS_LINE)


def _as_text(value: Any) -> str:
    """Bytes as base64, what else JSON does not know as its text."""
    import base64

    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
