"""Where the wording of prompts comes from: template files, which set material apart by marks that it cannot contain."""

import functools
import importlib.resources

import jinja2

from dt2it_ray.data.ids import content_id

CODE_LENGTH = 12
"""Hex digits of a code of marks."""


@functools.cache
def prompt_template(package: str, name: str, language: str) -> jinja2.Template:
    """The file `templates/NAME.LANGUAGE.txt` of a package, which refuses to be rendered without all it asks for."""
    folder = importlib.resources.files(package) / "templates"
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((folder / f"{name}.{language}.txt").read_text(encoding="utf-8"))


def mark_code(*materials: str) -> str:
    """What the marks around these texts carry. None of the texts can contain it: it is a hash of all of them."""
    return content_id("marks", *materials)[:CODE_LENGTH]
