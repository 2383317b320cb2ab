"""What can be said about a scene, and whether it is true."""

import random
from dataclasses import dataclass

from dt2it_ray.data.scenes.scene import COLOURS, MAX_HEIGHT, PLACES, SHAPES, WORDS, Scene

FAMILY = {
    "colour": "colour",
    "shape": "shape",
    "count": "count",
    "position": "position",
    "existence": "existence",
    "word": "word",
    "tallest": "chart",
    "height": "chart",
}
"""Question family of each relation."""
FAMILIES = ("colour", "shape", "count", "position", "existence", "word", "chart")


@dataclass(frozen=True)
class Claim:
    """A statement about a scene: the `relation` of the `subject` is the `value`.

    | relation | subject | value |
    |---|---|---|
    | colour | a shape | a colour |
    | shape | a colour | a shape |
    | count | a shape, "object" or "bar" | "1" to "6" |
    | position | a shape | a place |
    | existence | a colour and a shape or "bar" | "yes" or "no" |
    | word | "" | a word |
    | tallest | "" | a colour |
    | height | a colour | "1" to "6" |
    """

    relation: str
    subject: str
    value: str


def holds(scene: Scene, claim: Claim) -> bool:
    """Whether the claim is true. A claim about something that the scene does not have is false."""
    return claim.value in _true_values(scene, claim.relation, claim.subject)


def true_claims(scene: Scene) -> list[Claim]:
    """Every true claim with exactly one true value that a fair question could ask for."""
    claims = []
    for relation, subject in _subjects(scene):
        values = _true_values(scene, relation, subject)
        if len(values) == 1:
            claims.append(Claim(relation, subject, values[0]))
    return claims


def balanced(claims: list[Claim], draw: random.Random) -> list[Claim]:
    """The claims without those that would let a blind reader guess: as many yes as no, and few counts of one."""
    yes = [claim for claim in claims if claim.relation == "existence" and claim.value == "yes"]
    no = [claim for claim in claims if claim.relation == "existence" and claim.value == "no"]
    size = min(len(yes), len(no))
    kept = [claim for claim in claims if claim.relation != "existence"]
    kept = [claim for claim in kept if (claim.relation, claim.value) != ("count", "1") or draw.random() < 0.3]
    return kept + draw.sample(yes, size) + draw.sample(no, size)


def false_values(scene: Scene, claim: Claim) -> tuple[str, ...]:
    """Plausible values that make the claim false, in a fixed order."""
    true = _true_values(scene, claim.relation, claim.subject)
    return tuple(value for value in _plausible(scene, claim.relation) if value not in true)


def _true_values(scene: Scene, relation: str, subject: str) -> list[str]:
    """All values that hold for the subject; several where the subject is not unique."""
    things, bars = scene.things, scene.bars
    if relation == "colour":
        return sorted({thing.colour for thing in things if thing.shape == subject})
    if relation == "shape":
        return sorted({thing.shape for thing in things if thing.colour == subject})
    if relation == "position":
        return [PLACES[thing.cell] for thing in things if thing.shape == subject]
    if relation == "count":
        if subject == "bar":
            return [str(len(bars))]
        return [str(sum(subject in ("object", thing.shape) for thing in things))]
    if relation == "existence":
        present = {f"{thing.colour} {thing.shape}" for thing in things} | {f"{bar.colour} bar" for bar in bars}
        return ["yes" if subject in present else "no"]
    if relation == "word":
        return [scene.word] if scene.word else []
    if relation == "tallest":
        return [bar.colour for bar in bars if bar.height == max(other.height for other in bars)]
    return [str(bar.height) for bar in bars if bar.colour == subject]


def _subjects(scene: Scene) -> list[tuple[str, str]]:
    """Relations and subjects worth asking about: named things come once, so that "the circle" is clear."""
    shapes = [thing.shape for thing in scene.things]
    colours = [thing.colour for thing in scene.things]
    single_shapes = [shape for shape in SHAPES if shapes.count(shape) == 1]
    single_colours = [colour for colour in COLOURS if colours.count(colour) == 1]
    asked = [("colour", shape) for shape in single_shapes]
    asked += [("position", shape) for shape in single_shapes]
    asked += [("shape", colour) for colour in single_colours]
    if scene.things:
        asked += [("count", subject) for subject in ("object", *(shape for shape in SHAPES if shape in shapes))]
    if scene.bars:
        asked += [("count", "bar"), ("tallest", ""), *(("height", bar.colour) for bar in scene.bars)]
    if scene.word:
        asked.append(("word", ""))
    return asked + [("existence", subject) for subject in _existence_subjects(scene)]


def _existence_subjects(scene: Scene) -> list[str]:
    """What is there, and what shares a colour or a shape with something that is there."""
    if scene.bars:
        return [f"{colour} bar" for colour in COLOURS]
    present = {(thing.colour, thing.shape) for thing in scene.things}
    near = [
        (colour, shape)
        for colour in COLOURS
        for shape in SHAPES
        if any(colour == other or shape == kind for other, kind in present)
    ]
    return [f"{colour} {shape}" for colour, shape in near]


def _plausible(scene: Scene, relation: str) -> tuple[str, ...]:
    if relation == "tallest":
        return tuple(bar.colour for bar in scene.bars)
    if relation == "count":
        return tuple(str(number) for number in range(1, 6))
    if relation == "height":
        return tuple(str(number) for number in range(1, MAX_HEIGHT + 1))
    if relation == "existence":
        return ("yes", "no")
    return {"colour": COLOURS, "shape": SHAPES, "position": PLACES, "word": WORDS}[relation]
