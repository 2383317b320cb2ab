"""`dt2it t2i` as it is typed: exit codes, messages, and what it does not load."""

import subprocess
import sys
from pathlib import Path

import pytest

from dt2it_ray.cli import main
from tests.pipeline.t2i_inputs import PAIRS, caption_pair, read_pairs, written

NOT_NEEDED = {
    "typer",
    "click",
    "pandas",
    "ray",
    "torch",
    "PIL",
    "pydantic",
    "pyarrow.dataset",
    "concurrent.futures.process",
}


def run(capsys: pytest.CaptureFixture[str], *typed: str) -> tuple[int, str, str]:
    """Exit code, what was told, and what was complained about."""
    code = 0
    try:
        main(["t2i", *typed])
    except SystemExit as stop:
        code = int(stop.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_file_is_converted_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path / "in.parquet", [*PAIRS, {**caption_pair(99), "images": ["one"]}])
    code, told, _ = run(capsys, "--input", str(source), "--output", str(tmp_path / "out.parquet"), "--seed", "7")
    assert code == 0
    assert "41 pairs of 41 rows" in told
    assert "first in 20 of 41" in told
    assert "1 rows dropped (image_missing 1)" in told
    assert len(read_pairs(tmp_path / "out.parquet")) == 41


@pytest.mark.parametrize(
    ("typed", "expected", "message"),
    [
        (["--input", "none.jsonl", "--output", "out.json"], 2, "dt2it: there is no file none.jsonl"),
        (["--input", "none.jsonl"], 2, "required: --output"),
        (["--input", "a", "--output", "b", "--ties", "maybe"], 2, "invalid choice: 'maybe'"),
        (["--inp", "a", "--output", "b"], 2, "required: --input"),
        (["--input", "a", "--output", "b", "--seed", "seven"], 2, "invalid int value: 'seven'"),
    ],
)
def test_wrong_usage_is_one_message(
    typed: list[str], expected: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = run(capsys, *typed)
    assert code == expected
    assert message in error
    assert "Traceback" not in error


def test_a_file_without_pairs_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path / "in.jsonl", [{"a": 1}])
    code, _, error = run(capsys, "--input", str(source), "--output", str(tmp_path / "out.json"))
    assert code == 1
    assert "known shape" in error


def test_ctrl_c_says_that_nothing_was_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dt2it_ray.pipeline.t2i_files.convert_t2i", interrupted)
    code, _, error = run(capsys, "--input", "a", "--output", "b")
    assert code == 130
    assert error == "dt2it: interrupted; nothing was written\n"


def test_it_is_listed_among_the_commands_and_tells_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "text-to-image preferences" in capsys.readouterr().out
    code, told, _ = run(capsys, "--help")
    assert code == 0
    assert "--check-images" in told


def test_a_small_table_is_converted_without_what_takes_long_to_load(tmp_path: Path) -> None:
    source, output = written(tmp_path / "in.parquet", PAIRS), tmp_path / "out.parquet"
    script = (
        "import sys; from dt2it_ray.cli import main; "
        f"main(['t2i', '--input', {str(source)!r}, '--output', {str(output)!r}]); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not NOT_NEEDED & set(done.stdout.split())
    assert len(read_pairs(output)) == 41
