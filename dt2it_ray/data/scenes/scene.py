"""What a scene is: a small picture whose content is known exactly."""

import json
import random
from dataclasses import asdict, dataclass

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
SHAPES = ("circle", "square", "triangle", "star")
PLACES = (
    "top left",
    "top middle",
    "top right",
    "middle left",
    "centre",
    "middle right",
    "bottom left",
    "bottom middle",
    "bottom right",
)
"""Names of the nine cells of the picture, row by row."""
WORDS = (
    *("SUN", "CAT", "DOG", "CAR", "BOX", "HAT", "MAP", "PEN"),
    *("CUP", "BUS", "KEY", "BIRD", "FISH", "TREE", "MOON", "ROAD"),
)
MAX_THINGS = 5
MAX_HEIGHT = 6
MAX_BARS = 3


@dataclass(frozen=True)
class Thing:
    """One coloured shape in one of the nine cells."""

    shape: str
    colour: str
    cell: int


@dataclass(frozen=True)
class Bar:
    """One bar of a chart, `height` units tall."""

    colour: str
    height: int


@dataclass(frozen=True)
class Scene:
    """Either things, perhaps with a word written in the top (0) or bottom (2) row, or the bars of a chart."""

    things: tuple[Thing, ...]
    word: str
    word_row: int
    bars: tuple[Bar, ...]
    look: int
    """Seed of what carries no meaning: exact sizes, offsets and shades."""

    def to_json(self) -> str:
        """The scene as one line of JSON; `from_json` gives an equal scene back."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "Scene":
        """The scene that `to_json` wrote."""
        tree = json.loads(text)
        things = tuple(Thing(**thing) for thing in tree.pop("things"))
        bars = tuple(Bar(**bar) for bar in tree.pop("bars"))
        return Scene(things=things, bars=bars, **tree)


def drawer(*parts: object) -> random.Random:
    """A private random generator that is a function of the parts only."""
    return random.Random("\x1f".join(str(part) for part in parts))


def sample_scene(seed: int | str) -> Scene:
    """A scene drawn from the seed: half plain things, a quarter with a word, a quarter charts."""
    draw = drawer("scene", seed)
    look = draw.getrandbits(32)
    kind = draw.random()
    if kind < 0.25:
        return Scene((), "", 0, _bars(draw), look)
    if kind < 0.5:
        row = draw.choice((0, 2))
        free = [cell for cell in range(9) if cell // 3 != row]
        return Scene(_things(draw, free), draw.choice(WORDS), row, (), look)
    return Scene(_things(draw, list(range(9))), "", 0, (), look)


def _things(draw: random.Random, free: list[int]) -> tuple[Thing, ...]:
    """One to three kinds of things; one kind may come several times, so that counting means something."""
    kinds = draw.sample([(shape, colour) for shape in SHAPES for colour in COLOURS], draw.choice((1, 2, 2, 3, 3)))
    room = MAX_THINGS - len(kinds)
    copies = [1 + draw.choice((0, *range(room + 1)))] + [1] * (len(kinds) - 1)
    cells = draw.sample(free, sum(copies))
    names = [kind for kind, times in zip(kinds, copies, strict=True) for _ in range(times)]
    things = [Thing(shape, colour, cell) for (shape, colour), cell in zip(names, cells, strict=True)]
    return tuple(sorted(things, key=lambda thing: thing.cell))


def _bars(draw: random.Random) -> tuple[Bar, ...]:
    """Two or three bars of different colours; one is the tallest."""
    colours = draw.sample(COLOURS, draw.randint(2, MAX_BARS))
    tallest = draw.randint(3, MAX_HEIGHT)
    heights = [tallest] + [draw.randint(1, tallest - 1) for _ in colours[1:]]
    draw.shuffle(heights)
    return tuple(Bar(colour, height) for colour, height in zip(colours, heights, strict=True))
