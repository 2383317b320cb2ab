"""What tests of the formats say again and again: the one preference of a row, or why the row is refused."""

from typing import Any

import pytest

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.preference import Preference, PreferenceFormat
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS


def only(name: str, row: dict[str, Any]) -> Preference:
    """The preference of a row that gives exactly one."""
    [preference] = PREFERENCE_FORMATS[name].parse(row)
    return preference


def refusal(form: str | PreferenceFormat, row: dict[str, Any]) -> str:
    """Reason, field and problem of a row that is refused."""
    known = PREFERENCE_FORMATS[form] if isinstance(form, str) else form
    with pytest.raises(RowRefused) as caught:
        known.parse(row)
    return f"{caught.value.reason}: {caught.value.where}: {caught.value.problem}"


def named(*paths: str) -> tuple[dict[str, Any], ...]:
    """Images that are only named."""
    return tuple({"bytes": None, "path": path} for path in paths)


def texts(preference: Preference) -> tuple[str, str, str]:
    """Question, better and worse answer."""
    return preference.question, preference.chosen, preference.rejected
