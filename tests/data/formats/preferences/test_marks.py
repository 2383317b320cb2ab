"""Marks of images in texts: what is taken out with them, and that writing and reading undo each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.media_marks import MEDIA
from dt2it_ray.data.formats.preferences.marks import put_marks, take_marks


@pytest.mark.parametrize(
    ("text", "left", "count"),
    [
        ("What?", "What?", 0),
        (" What? ", " What? ", 0),
        ("<image>What?", "What?", 1),
        ("<image>\nWhat?", "What?", 1),
        ("\n<image> <image>\r\nWhat?", "What?", 2),
        ("What?<image>", "What?", 1),
        ("What?\n<image>\n<image> \n", "What?", 2),
        ("<image>Which, <image> or <image>?", "Which,  or ?", 3),
        ("<image>\n\n  indented", "\n  indented", 1),
        ("<image>", "", 1),
    ],
)
def test_a_mark_goes_with_the_line_break_that_parts_it_from_the_text(text: str, left: str, count: int) -> None:
    assert take_marks(text, "question") == (left, count)


@pytest.mark.parametrize("mark", ["<video>", "<audio>"])
def test_other_media_are_refused(mark: str) -> None:
    with pytest.raises(RowRefused, match=f"{mark} stands for a file"):
        take_marks(f"{mark}What?", "question")


@given(st.text().filter(lambda text: text.strip() and not MEDIA.search(text)), st.integers(0, 3))
def test_marks_that_were_put_in_come_out_and_leave_the_text_unchanged(text: str, images: int) -> None:
    assert take_marks(put_marks(text, images), "question") == (text, images)
