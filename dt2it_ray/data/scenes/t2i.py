"""Text-to-image preferences with known truth: a caption, a picture that fits it and one that does not."""

import dataclasses
import random
from dataclasses import dataclass

from dt2it_ray.data.scenes.captions import caption
from dt2it_ray.data.scenes.scene import COLOURS, SHAPES, WORDS, Bar, Scene, Thing, drawer, sample_scene


@dataclass(frozen=True)
class T2iPair:
    """`fitting` shows what the caption says; `other` differs in what `difference` names."""

    caption: str
    language: str
    fitting: Scene
    other: Scene
    difference: str


def t2i_pair(seed: int | str, language: str = "en") -> T2iPair:
    """A pair drawn from the seed. The same seed shows the same scenes in either language."""
    draw = drawer("t2i", seed)
    scene = sample_scene(f"t2i {seed}")
    changes = ["height"] if scene.bars else ["colour", "shape", "count", *(["word"] if scene.word else [])]
    difference = draw.choice(changes)
    other = dataclasses.replace(_change(scene, difference, draw), look=draw.getrandbits(32))
    return T2iPair(caption(scene, language, seed), language, scene, other, difference)


def _change(scene: Scene, difference: str, draw: random.Random) -> Scene:
    """The scene with one matter changed; the caption is false for the result."""
    if difference == "word":
        return dataclasses.replace(scene, word=draw.choice([word for word in WORDS if word != scene.word]))
    if difference == "height":
        return dataclasses.replace(scene, bars=_change_bar(scene.bars, draw))
    if difference == "count":
        return dataclasses.replace(scene, things=_change_count(scene, draw))
    target = draw.choice(scene.things)
    kind = (target.colour, target.shape)
    colour = draw.choice([c for c in COLOURS if c != target.colour]) if difference == "colour" else target.colour
    shape = draw.choice([s for s in SHAPES if s != target.shape]) if difference == "shape" else target.shape
    things = [
        Thing(shape, colour, thing.cell) if (thing.colour, thing.shape) == kind else thing for thing in scene.things
    ]
    return dataclasses.replace(scene, things=tuple(things))


def _change_count(scene: Scene, draw: random.Random) -> tuple[Thing, ...]:
    """One thing more or one less, never none."""
    taken = {thing.cell for thing in scene.things}
    rows = {scene.word_row} if scene.word else set()
    free = [cell for cell in range(9) if cell not in taken and cell // 3 not in rows]
    things = list(scene.things)
    if len(things) > 1 and (not free or len(things) >= 5 or draw.random() < 0.5):
        things.remove(draw.choice(things))
    else:
        like = draw.choice(things)
        things.append(Thing(like.shape, like.colour, draw.choice(free)))
    return tuple(sorted(things, key=lambda thing: thing.cell))


def _change_bar(bars: tuple[Bar, ...], draw: random.Random) -> tuple[Bar, ...]:
    """Two bars swap their colours, or one bar gets another height."""
    changed = list(bars)
    first, second = draw.sample(range(len(bars)), 2)
    if draw.random() < 0.5:
        changed[first] = Bar(bars[second].colour, bars[first].height)
        changed[second] = Bar(bars[first].colour, bars[second].height)
        return tuple(changed)
    heights = [height for height in range(1, 7) if abs(height - bars[first].height) >= 2]
    changed[first] = Bar(bars[first].colour, draw.choice(heights))
    return tuple(changed)
