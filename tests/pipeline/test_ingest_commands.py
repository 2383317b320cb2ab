"""The commands for outside data, as typed: ingest, inspect, export, and what a fault exits with."""

import json
from pathlib import Path

import pytest

from dt2it_ray.cli import main
from tests.stages.ingest_files import flat, picture, write_lines


def exit_code(*typed: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(typed)
    return int(stopped.value.code or 0)


def test_rows_are_ingested_inspected_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(picture(1))
    source = write_lines(tmp_path / "rows.jsonl", [flat("What?", image_path="a.png"), flat("Why?"), flat("why")])
    out, sent = str(tmp_path / "out"), str(tmp_path / "sent.json")
    asked = ["--input", source, "--format", "flat", "--output", out, "--image-root", str(tmp_path / "pictures")]
    assert exit_code("ingest", *asked, "ingest.duplicates.within=none") == 0
    assert "3 of 3 rows in" in capsys.readouterr().out
    assert exit_code("ingest", *asked) == 2
    assert "out" in capsys.readouterr().err
    assert exit_code("inspect", out) == 0
    assert "3 pairs (ingested)" in capsys.readouterr().out
    assert exit_code("export", "--input", out, "--output", sent) == 0
    assert len(json.loads(Path(sent).read_text())) == 3


def test_faults_have_their_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_lines(tmp_path / "rows.jsonl", [{"prompt": "What?", "chosen": "Red.", "rejected": "Blue."}])
    out = str(tmp_path / "out")
    assert exit_code("ingest", "--input", source, "--format", "flat", "--output", out) == 1
    assert exit_code("ingest", "--input", source, "--format", "nothing", "--output", out) == 2
    assert exit_code("ingest", "--input", source) == 2
    assert "output: Field required" in capsys.readouterr().err
    assert exit_code("ingest", "--input", str(tmp_path / "gone.jsonl"), "--output", out) == 1
    assert exit_code("export", "--input", out, "--output", str(tmp_path / "sent.json")) == 2
    assert exit_code("inspect", write_lines(tmp_path / "odd.jsonl", [{"a": 1}])) == 1


def test_a_data_set_of_which_nothing_could_be_used_is_read_again_with_the_right_format(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "rows.jsonl", [{"prompt": "What?", "chosen": "Red.", "rejected": "Blue."}])
    out = str(tmp_path / "out")
    assert exit_code("ingest", "--input", source, "--format", "flat", "--output", out) == 1
    assert (tmp_path / "out" / "dropped.jsonl").exists()
    assert exit_code("ingest", "--input", source, "--format", "trl", "--output", out) == 0
