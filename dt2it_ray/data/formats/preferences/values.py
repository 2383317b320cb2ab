"""How the values of a raw row are taken out by kind, or the row refused by field."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dt2it_ray.data.formats.fields import RowRefused, checked_text
from dt2it_ray.data.schema import DropReason

Image = dict[str, Any]


def refuse(field: str, problem: str, reason: DropReason = DropReason.FIELD_INVALID) -> RowRefused:
    """The exception for a field that breaks its format."""
    return RowRefused(reason, f"field {field}", problem)


def value_of(fields: Mapping[str, Any], field: str) -> Any:
    """The value of a field that the row must have."""
    if field not in fields:
        raise refuse(field, "missing")
    return fields[field]


def mapping_of(value: Any, field: str) -> Mapping[str, Any]:
    """`value` if it is a struct."""
    # The check of an abstract class costs as much as all else that is done with a turn.
    if type(value) is dict or isinstance(value, Mapping):
        return value
    raise refuse(field, f"{ascii(value)[:60]} is no struct of named values")


def list_of(value: Any, field: str) -> Sequence[Any]:
    """`value` if it is a list."""
    if isinstance(value, (list, tuple)):
        return value
    raise refuse(field, f"{ascii(value)[:60]} is no list")


def structs_of(value: Any, field: str) -> list[Mapping[str, Any]]:
    """A list of structs. A struct of lists is one too: the `datasets` library stores sequences of structs that way."""
    if not isinstance(value, Mapping):
        return [mapping_of(each, f"{field}[{place}]") for place, each in enumerate(list_of(value, field))]
    columns = {name: list_of(each, f"{field}.{name}") for name, each in value.items() if each is not None}
    lengths = {name: len(each) for name, each in columns.items()}
    if len(set(lengths.values())) > 1:
        raise refuse(field, f"its lists have different lengths: {lengths}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def json_of(value: Any, field: str) -> Any:
    """What a JSON text says; a value that is no text stands for itself, for some copies of a data set are parsed."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise refuse(field, f"{ascii(value)[:60]} is not JSON") from None


def number_of(value: Any, field: str) -> float:
    """`value` as a finite number; texts that spell one count, for some releases have them."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise refuse(field, f"{ascii(value)[:60]} is no number") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise refuse(field, f"{ascii(value)[:60]} is no finite number")
    return number


def optional_text(fields: Mapping[str, Any], field: str) -> str | None:
    """The text or number of a field as text; None if the row has no such field, or nothing in it."""
    return told(fields.get(field), field)


def remark(value: Any, field: str) -> str | None:
    """What somebody wrote of an answer; None for nothing, or blanks alone."""
    return None if isinstance(value, str) and not value.strip() else told(value, field)


def told(value: Any, field: str) -> str | None:
    """A text or number as text, None for an empty or missing one."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise refuse(field, f"{ascii(value)[:60]} is neither text nor number")
    return checked_text(str(value), field)


def optional_number(fields: Mapping[str, Any], field: str) -> float | None:
    """The number of a field, None if the row has none."""
    value = fields.get(field)
    return None if value is None or value == "" else number_of(value, field)


def image_of(value: Any, field: str) -> Image:
    """An IMAGE: by its bytes where the row holds them, for the name that comes with them need not be that of a file."""
    if isinstance(value, bytes) and value:
        return {"bytes": value, "path": None}
    if type(value) is str:
        held, path = None, value
    else:
        held, path = (value.get("bytes"), value.get("path")) if isinstance(value, Mapping) else (None, value)
    if held and isinstance(held, bytes):
        return {"bytes": held, "path": None}
    if not path or held:
        raise refuse(field, f"{ascii(value)[:60]} is no image and no path of one", DropReason.IMAGE_MISSING)
    return {"bytes": None, "path": checked_text(path, field)}


def images_in(fields: Mapping[str, Any], *names: str) -> list[Image]:
    """The images of the first of these fields that holds anything: a list, or a single one; none if the row has no such
    field or an empty list. An empty path alone is refused, for nobody knows what it named."""
    there = [name for name in names if fields.get(name) is not None]
    field = next((name for name in there if is_held(fields[name])), there[0] if there else None)
    return [] if field is None else images_of(fields[field], field)


def is_held(value: Any) -> bool:
    """Whether a field for images or videos has anything in it: an empty text (a cell of CSV) or list is nothing."""
    return value is not None and value not in ("", [], ())


def images_of(value: Any, field: str) -> list[Image]:
    """The images of a value that is a list of them, or a single one."""
    return [image_of(each, field) for each in (value if isinstance(value, (list, tuple)) else [value])]
