"""What `dt2it best-of-n` tells is computed from the rows, whoever gave the rewards."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.cli import main
from dt2it_ray.data.formats.answer_rows import read_answer_rows
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.models.critic_settings import CriticSampling, CriticSettings
from dt2it_ray.pipeline.best_of_n_run import BestOfNSettings, measure_best_of_n, score_answers
from dt2it_ray.store.files import Folder
from tests.stages.rows import ToyScorer

ROW = {"id": "a", "question": "q", "answers": ["x", "yy", "zzz"], "qualities": [1, 5, 9]}


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_rewards_stand_in_the_rows_or_in_a_file_of_their_own(tmp_path: Path) -> None:
    inside = measure_best_of_n(BestOfNSettings(rows=write(tmp_path / "a.jsonl", [ROW | {"rewards": [3, 2, 1]}])))
    assert [point["picked"]["value"] for point in inside["curve"]] == pytest.approx([5, 7 / 3, 1], abs=1e-6)
    assert [point["oracle"]["value"] for point in inside["curve"]] == pytest.approx([5, 23 / 3, 9], abs=1e-6)
    rows, given = write(tmp_path / "b.jsonl", [ROW]), write(tmp_path / "r.jsonl", [{"id": "a", "rewards": [3, 2, 1]}])
    assert measure_best_of_n(BestOfNSettings(rows=rows, rewards=given))["curve"] == inside["curve"]


def test_a_critic_without_a_model_that_scores_is_refused(tmp_path: Path) -> None:
    rows = write(tmp_path / "a.jsonl", [ROW | {"rewards": [3, 2, 1]}])
    critic = CriticSettings(sampling=CriticSampling(max_new_tokens=6))
    for rewards in ("", rows):
        with pytest.raises(ConfigError, match="critic does nothing here: no reward model scores"):
            measure_best_of_n(BestOfNSettings(rows=rows, rewards=rewards, critic=critic))


def test_a_model_scores_every_answer_and_a_row_that_it_refuses_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [ROW, ROW | {"answers": ["x", "refuse", "y"]}])
    folder = Folder(str(tmp_path))
    rows = list(read_answer_rows(folder, "a.jsonl"))
    assert score_answers(rows, ToyScorer(), folder, batch_rows=1) == [[1.0, 2.0, 3.0], None]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW, "a.jsonl row 1 has no `rewards`"),
        (ROW | {"rewards": [1]}, "a.jsonl row 1: 1 rewards for 3 qualities"),
        (ROW | {"qualities": None}, "row 1: it has no `qualities`"),
        (ROW | {"qualities": [1, 2, float("nan")]}, "not a list of finite numbers"),
        (ROW | {"answers": "x"}, "not a list of texts"),
        (3, "is no JSON object"),
    ],
)
def test_rows_that_do_not_fit_are_named(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure_best_of_n(BestOfNSettings(rows=write(tmp_path / "a.jsonl", [row])))


def test_the_command_prints_the_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write(tmp_path / "a.jsonl", [ROW | {"rewards": [1, 2, 3]}] * 12)
    with pytest.raises(SystemExit) as stopped:
        main(["best-of-n", "--rows", rows, "--json", str(tmp_path / "out.json")])
    assert stopped.value.code == 0
    assert "n = 3 (KL 0.432): 9.0000, oracle 9.0000, random 5.0000, 100.0% of what" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["peak"]["n"] == 3


def test_a_curve_of_no_prompt_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = write(tmp_path / "a.jsonl", [ROW | {"rewards": [1, 2, 3]}]), tmp_path / "out.json"
    with pytest.raises(SystemExit) as stopped:
        main(["best-of-n", "--rows", rows, "--json", str(out), "--page", str(tmp_path / "p.html"), "most=4"])
    assert stopped.value.code == 0
    assert "0 prompts; 1 with fewer than 4 answers" in capsys.readouterr().out
    told = json.loads(out.read_text())
    assert (told["curve"], told["peak"], told["over_optimised"]) == ([], None, False)
    lost = write(tmp_path / "r.jsonl", [{"id": "a", "dropped": "no image"}])
    assert measure_best_of_n(BestOfNSettings(rows=rows, rewards=lost))["unscored"] == 1
