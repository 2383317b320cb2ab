"""How texts show the places of images: `<image>` is taken out when a row is read, and put in when one is written."""

import re
from collections.abc import Sequence

from dt2it_ray.data.formats.media_marks import MARK, MEDIA, OTHER_MEDIA
from dt2it_ray.data.formats.preferences.values import refuse

_LEADING = re.compile(rf"\A\s*(?:{MARK}[ \t\r]*\n?)+")


def take_marks(text: str, field: str) -> tuple[str, int]:
    """The text without its marks, and how many it had. A line break between the marks and the text goes too.

    Refuses a row whose text shows a video or a sound.
    """
    if other := OTHER_MEDIA.search(text):
        raise refuse(field, f"{other[0]} stands for a file that no reward model here can be shown")
    count = text.count(MARK)
    if not count:
        return text, 0
    return _without_last_marks(_LEADING.sub("", text)).replace(MARK, ""), count


def _without_last_marks(text: str) -> str:
    left = text.rstrip()
    if not left.endswith(MARK):
        return text
    while left.endswith(MARK):
        left = left.removesuffix(MARK).rstrip(" \t").removesuffix("\n")
    return left


def put_marks(text: str, images: int) -> str:
    """The text behind that many marks, so that `take_marks` gives it back unchanged."""
    between = "\n" if images and text[:1].isspace() else ""
    return f"{MARK * images}{between}{text}"


def hold_marks(texts: Sequence[str]) -> bool:
    """Whether a text would be taken for one that shows a file."""
    return any(MEDIA.search(text) for text in texts)
