"""What preferences there are is told in short and as a page, of a data set and of raw rows alike."""

from pathlib import Path

import pytest

from dt2it_ray.errors import InputError
from dt2it_ray.pipeline.ingest_run import run_ingest
from dt2it_ray.pipeline.inspect_run import inspect_preferences
from tests.stages.ingest_files import flat, picture, settings_of, write_lines

HOSTILE = '<script>alert("A")</script>'
ROWS = [
    flat(f"What is it? {HOSTILE}", "Red and round.", image_path="a.png", strength=0.5),
    flat("图中是什么？", image_path="gone.png"),
    flat("Why?", "Red.", "Red."),
]


def told(*arguments: str) -> str:
    return "\n".join(inspect_preferences(*arguments))


@pytest.mark.parametrize("source", ["in/rows.jsonl", "in/*.jsonl", "in"])
def test_a_data_set_is_shown_with_its_counts_and_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(picture(1))
    write_lines(tmp_path / "in" / "rows.jsonl", ROWS)
    monkeypatch.chdir(tmp_path)
    run_ingest(settings_of(tmp_path, source, images="reference"))
    text = told(str(tmp_path / "out"), "", "", "")
    page = (tmp_path / "out" / "inspect.html").read_text("utf-8")
    assert "out: 1 pairs (ingested)" in text
    assert "answers_equal 1, image_missing 1" in text
    assert page.count("data:image/") == 1
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("form", ["flat", ""])
def test_raw_rows_are_shown_in_the_format_that_is_said_or_that_they_show(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    source = write_lines(tmp_path / "rows.jsonl", ROWS)
    text = told(source, form, "", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "rows: 2 pairs (flat)" in text
    assert "language: en 1, zh 1" in text
    assert "columns: question, chosen, rejected, image_path, strength" in text
    assert "strength: 0.5 (0.5 to 0.5), 1 known" in text
    assert page.count("data:image/") == 1
    assert "gone.png was not opened" in page
    assert page.count("<svg") == 3


def test_rows_that_no_format_reads_are_told_by_their_columns(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "rows.jsonl", [{"b": 1, "a": 2}])
    with pytest.raises(InputError, match=r"have the columns \['a', 'b'\]"):
        told(source, "", "", str(tmp_path / "page.html"))


def test_rows_that_are_all_refused_are_counted_by_reason(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "rows.jsonl", [flat("Why?", "Red.", "Red.")])
    with pytest.raises(InputError, match=r"no preferences, read as flat, 1 refused: \{'answers_equal': 1\}"):
        told(source, "flat", "", str(tmp_path / "page.html"))
