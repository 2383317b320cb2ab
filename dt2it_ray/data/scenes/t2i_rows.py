"""How a text-to-image preference of the embedded world becomes a row."""

from typing import Any

from dt2it_ray.data.scenes.prompts import draw_language
from dt2it_ray.data.scenes.render import render
from dt2it_ray.data.scenes.t2i import t2i_pair


def t2i_row(prompt: str, source: str, seed: int, number: int) -> dict[str, Any]:
    """The row of T2I_ROWS of a number: a caption, the picture that fits it, and one that does not."""
    name = f"preference {source} {seed} {number}"
    pair = t2i_pair(name, draw_language(name))
    images = [{"bytes": render(scene), "path": None} for scene in (pair.fitting, pair.other)]
    return {"prompt_id": prompt, "source": source, "caption": pair.caption, "images": images}
