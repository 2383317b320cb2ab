"""RewardBench 2 is evaluated from its rows and a file of rewards of all answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.evaluate_command import Outputs, run_evaluation, write_leaderboard

ROW = {"id": "1", "prompt": "p", "chosen": ["a"], "rejected": ["b", "c", "d"], "subset": "Math"}


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_rewards_of_all_answers_give_the_score_of_each_subset(tmp_path: Path) -> None:
    ties = [ROW | {"id": name, "subset": "Ties", "rejected": ["b"]} for name in ("ref:1", "tied:1")]
    rows = write(tmp_path / "rows.jsonl", [ROW, *ties])
    rewards = ([1, 0, 0, 0], [1, 0], [1, 0])
    given = [{"id": name, "rewards": each} for name, each in zip(("1", "ref:1", "tied:1"), rewards, strict=True)]
    named = {"benchmark": "rewardbench_2", "rows": rows, "predictions": [write(tmp_path / "p.jsonl", given)]}
    out = tmp_path / "out.json"
    [line] = run_evaluation(named, Outputs(json=str(out)))
    told = json.loads(out.read_text())
    assert told["categories"]["Math"]["accuracy"] == 1.0
    # d = 0: the margin of 1 is wider, and tanh of an infinite share is 1.
    assert told["categories"]["Ties"]["accuracy"] == pytest.approx(1.01)
    assert {"macro_accuracy", "acc_plus", "ties", "interval"} <= set(told)
    assert line.startswith("p: ")
    assert "over 3 rows" in line
    with pytest.raises(ConfigError, match="has --json only"):
        run_evaluation(named, Outputs(page="x.html"))
    with pytest.raises(InputError, match=r"out.json is no result of .* over pairs"):
        write_leaderboard([str(out)], "x.html")


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    rows, given = write(tmp_path / "r.jsonl", [ROW]), write(tmp_path / "p.jsonl", [{"id": "1", "rewards": [1, 0]}])
    named = {"benchmark": "rewardbench_2", "rows": rows, "predictions": [given]}
    with pytest.raises(InputError, match=r"r.jsonl row 1 \(id 1\): rewards is .* not a list of 4 numbers"):
        run_evaluation(named, Outputs())
    named["rows"] = write(tmp_path / "r.jsonl", [ROW | {"chosen": []}])
    with pytest.raises(InputError, match=r"r.jsonl row 1: chosen is \[\], not a list of texts"):
        run_evaluation(named, Outputs())
