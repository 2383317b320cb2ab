"""How a scene becomes a picture: 96x96 pixels, the same bytes every time."""

import io
import math

import numpy as np
from PIL import Image, ImageDraw

from dt2it_ray.data.scenes.glyphs import word_bitmap
from dt2it_ray.data.scenes.scene import MAX_BARS, Bar, Scene, Thing, drawer

SIDE = 96
CELL = 32
UNIT = 14
"""Pixels that one unit of a bar is tall."""
_RGB = {
    "red": (214, 40, 40),
    "green": (46, 160, 67),
    "blue": (38, 84, 214),
    "yellow": (242, 206, 28),
    "purple": (138, 43, 196),
    "orange": (245, 130, 20),
}
_INK = (30, 30, 30)
_RULE = (205, 205, 205)


def render(scene: Scene) -> bytes:
    """The scene as a 96x96 RGB PNG."""
    buffer = io.BytesIO()
    Image.fromarray(render_pixels(scene)).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def render_pixels(scene: Scene) -> np.ndarray:
    """The scene as [96, 96, 3] bytes."""
    draw = drawer("look", scene.look)
    paper = tuple(draw.randint(236, 255) for _ in range(3))
    canvas = Image.new("RGB", (SIDE, SIDE), paper)
    pen = ImageDraw.Draw(canvas)
    for thing in scene.things:
        _draw_thing(pen, thing, draw.randint(10, 13), draw.randint(-2, 2), draw.randint(-2, 2), draw.randint(-12, 12))
    _draw_bars(pen, scene.bars, draw.randint(-10, 10))
    pixels = np.array(canvas)
    if scene.word:
        bitmap = word_bitmap(scene.word, 3)
        top = scene.word_row * CELL + 5 + draw.randint(-3, 3)
        left = (SIDE - bitmap.shape[1]) // 2 + draw.randint(-6, 6)
        pixels[top : top + bitmap.shape[0], left : left + bitmap.shape[1]][bitmap] = _INK
    return pixels


def _shade(colour: str, shift: int) -> tuple[int, int, int]:
    red, green, blue = (max(0, min(255, value + shift)) for value in _RGB[colour])
    return red, green, blue


def _draw_thing(pen: ImageDraw.ImageDraw, thing: Thing, radius: int, right: int, down: int, shift: int) -> None:
    x = thing.cell % 3 * CELL + CELL // 2 + right
    y = thing.cell // 3 * CELL + CELL // 2 + down
    fill = _shade(thing.colour, shift)
    if thing.shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    elif thing.shape == "square":
        pen.rectangle((x - radius, y - radius, x + radius, y + radius), fill=fill)
    elif thing.shape == "triangle":
        pen.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=fill)
    else:
        pen.polygon(_star(x, y, radius + 1), fill=fill)


def _star(x: int, y: int, radius: int) -> list[tuple[int, int]]:
    """Ten corners, outer and inner by turns, rounded so that every platform draws the same star."""
    corners = []
    for step in range(10):
        reach = radius if step % 2 == 0 else radius * 0.42
        angle = math.pi * step / 5
        corners.append((round(x + reach * math.sin(angle)), round(y - reach * math.cos(angle))))
    return corners


def _draw_bars(pen: ImageDraw.ImageDraw, bars: tuple[Bar, ...], shift: int) -> None:
    if not bars:
        return
    floor = SIDE - 6
    for unit in range(1, 7):
        pen.line((4, floor - unit * UNIT, SIDE - 4, floor - unit * UNIT), fill=_RULE)
    pen.line((4, floor, SIDE - 4, floor), fill=_INK)
    pitch = (SIDE - 12) // MAX_BARS
    for place, bar in enumerate(bars):
        left = 6 + place * pitch + 3
        box = (left, floor - bar.height * UNIT, left + pitch - 7, floor - 1)
        pen.rectangle(box, fill=_shade(bar.colour, shift))
