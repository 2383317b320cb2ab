"""What a person sees who mistypes: one message, what to do, the right exit code, no traceback."""

from pathlib import Path

import pytest

from dt2it_ray.cli import main

SMOKE = str(Path(__file__).parents[1] / "jobs" / "configs" / "smoke.yaml")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    told = capsys.readouterr()
    return int(exit_info.value.code or 0), told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "no.yaml"], "cannot read the config no.yaml"),
        (
            ["--config", SMOKE, "curate.flip.shar=0.4"],
            "curate.flip.shar: unknown setting; did you mean curate.flip.share?",
        ),
        (["--config", SMOKE, "iterations=-1"], "iterations: Input should be greater than or equal to 0"),
        (["--config", SMOKE, "iterations"], "'iterations' is not of the form key=value"),
        (["--config", SMOKE, "backbone=/nowhere"], "backbone=/nowhere"),
        (["--config", SMOKE, "placement.skore.workers=2"], "did you mean 'score'"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_wrong_setting_is_named_with_the_nearest_right_one(
    command: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = run(capsys, command, *arguments)
    assert code == 2
    assert message in error
    assert "Traceback" not in error


def test_a_root_that_is_a_file_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    code, error = run(capsys, "run", "--config", SMOKE, f"root={tmp_path / 'taken'}")
    assert code in (1, 2)
    assert str(tmp_path / "taken") in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) <= 3


def test_a_run_that_does_not_exist_cannot_be_reported_explained_or_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ("report", str(tmp_path)),
        ("explain", "abc", "--run", str(tmp_path)),
        ("serve", str(tmp_path)),
    ):
        code, error = run(capsys, *arguments)
        assert code == 1
        assert "there is no run in" in error


def test_ctrl_c_is_one_line_that_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dt2it_ray.settings.load_settings", interrupted)
    for command in ("run", "plan"):
        code, error = run(capsys, command, "--config", SMOKE)
        assert code == 130
        assert error == "dt2it: interrupted; the same command goes on where this one stopped\n"


def test_an_address_of_no_known_storage_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = run(capsys, "plan", "--config", SMOKE, "root=s3x://b")
    assert code == 2
    assert "s3x://b" in error
    assert len(error.strip().splitlines()) == 1
