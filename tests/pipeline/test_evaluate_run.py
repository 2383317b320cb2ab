"""What `dt2it evaluate` tells of a predictions file equals what one computes by hand, oddities included."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.cli import main
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.evaluate_run import EvaluateRunSettings, evaluate_benchmark


def lines(path: Path, rows: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def vl_row(item: str, ranking: Sequence[int] = (0, 1)) -> dict[str, Any]:
    return {"id": item, "query": "q", "response": ["longer", "short"], "human_ranking": list(ranking)}


def told(tmp_path: Path, rows: Sequence[Any], predictions: Sequence[Any], name: str = "vl_rewardbench") -> Any:
    settings = EvaluateRunSettings(
        benchmark=name,
        rows=lines(tmp_path / "rows.jsonl", rows),
        predictions=(lines(tmp_path / "preds.jsonl", predictions),),
    )
    return evaluate_benchmark(settings).result


def test_vl_rewardbench_by_hand(tmp_path: Path) -> None:
    # An id without separator, a lower-case rlhf, a repeated id, a tie, and rewards that differ in the third decimal.
    items = ["mathverse", "rlhf-1", "RLHF-1", "RLHF-1", "RLAIF-V_2", "mmmu-3"]
    rows = [vl_row(item, [1, 0] if place == 5 else [0, 1]) for place, item in enumerate(items)]
    predictions = [
        {"id": "mathverse", "rewards": [2, 1]},
        {"id": "rlhf-1", "chosen": 0.123, "rejected": 0.124},
        {"id": "RLHF-1", "chosen": 1, "rejected": 0},
        {"id": "RLHF-1", "chosen": 0, "rejected": 1},
        {"id": "RLAIF-V_2", "chosen": 0.5, "rejected": 0.5},
        {"id": "mmmu-3", "rewards": [0.501, 0.502]},
    ]
    result = told(tmp_path, rows, predictions)
    counted = {name: (part["n"], part["correct"]) for name, part in result["categories"].items()}
    assert counted == {"general": (1, 0), "hallucination": (3, 1), "reasoning": (2, 2)}
    assert result["categories"]["reasoning"]["accuracy"] == 1.0
    assert result["accuracy"] == 0.5
    assert result["macro_accuracy"] == pytest.approx((0 + 1 / 3 + 1) / 3)
    assert (result["ties"], result["accuracy_ties_half"], result["acc_plus"]) == (1, 3.5 / 6, None)
    assert result["interval"][0] < 0.5 < result["interval"][1]
    assert (result["longer_wins"], result["shorter_wins"]) == (5 / 6, 1 / 6)
    assert (result["rows"]["n"], result["rows"]["as_released"]) == (6, False)


def test_two_rows_of_one_id_of_which_one_is_wrong_are_no_acc_plus(tmp_path: Path) -> None:
    row = {"id": "7", "image": "mcq/1.png", "prompt": "p", "chosen": "x", "rejected": "y"}
    rows = [row, row | {"rejected": "z"}, row | {"id": "8", "image": None, "video": "video/8"}]
    predictions = [{"id": item, "chosen": reward, "rejected": 0} for item, reward in (("7", 1), ("7", -1), ("8", 1))]
    result = told(tmp_path, rows, predictions, "mm_rlhf_rewardbench")
    assert (result["accuracy"], result["acc_plus"]) == (2 / 3, 0.5)
    assert result["categories"]["mcq"]["acc_plus"] == 0.0
    assert result["categories"]["video"]["acc_plus"] == 1.0
    assert result["macro_accuracy"] == 0.75


def test_a_refused_row_takes_its_prediction_with_it(tmp_path: Path) -> None:
    rows = [vl_row("a-1"), vl_row("b-1", [0, 0]), vl_row("c-1")]
    predictions = [{"id": item, "chosen": 1, "rejected": 0} for item in ("a-1", "b-1", "c-1")]
    result = told(tmp_path, rows, predictions)
    assert (result["n"], result["correct"], result["rows"]["refused"]["n"]) == (2, 2, 1)
    assert "rows.jsonl row 2, field human_ranking" in result["rows"]["refused"]["first"][0]


def test_the_id_of_a_refused_row_is_checked_and_told(tmp_path: Path) -> None:
    rows = [vl_row("a-1"), vl_row("b-1", [0, 0])]
    first, other = ({"id": item, "chosen": 1, "rejected": 0} for item in ("a-1", "c-1"))
    with pytest.raises(InputError, match=r"rows.jsonl row 2 \(id b-1\): the prediction is of id 'c-1', not 'b-1'"):
        told(tmp_path, rows, [first, other])
    with pytest.raises(InputError, match=r"rows.jsonl row 2 \(id b-1\) has no prediction"):
        told(tmp_path, rows, [first])


def test_two_models_are_compared_on_the_same_pairs(tmp_path: Path) -> None:
    rows = lines(tmp_path / "rows.jsonl", [vl_row(f"a-{place}") for place in range(8)])
    better = [{"id": f"a-{place}", "chosen": 1, "rejected": 0} for place in range(8)]
    worse = [fields | {"chosen": -1 if place < 6 else 1} for place, fields in enumerate(better)]
    files = (lines(tmp_path / "better.jsonl", better), f"other={lines(tmp_path / 'worse.jsonl', worse)}")
    result = evaluate_benchmark(EvaluateRunSettings(benchmark="vl_rewardbench", rows=rows, predictions=files)).result
    assert {name: figures["accuracy"] for name, figures in result["models"].items()} == {"better": 1.0, "other": 0.25}
    [compared] = result["comparisons"]
    assert (compared["difference"], compared["only_first"], compared["p_value"]) == (0.75, 6, 2 / 64)
    with pytest.raises(InputError, match="two models are called 'better'"):
        evaluate_benchmark(EvaluateRunSettings(benchmark="vl_rewardbench", rows=rows, predictions=files[:1] * 2))


def test_the_command_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines(tmp_path / "rows.jsonl", [vl_row("a-1"), vl_row("mmmu")])
    given = lines(tmp_path / "p.jsonl", [{"id": "a-1", "chosen": 1, "rejected": 0}, {"id": "mmmu", "rewards": [0, 1]}])
    out, page = tmp_path / "out.json", tmp_path / "out.md"
    arguments = ["evaluate", "--benchmark", "vl_rewardbench", "--rows", rows, "--predictions", given]
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--json", str(out), "--markdown", str(page)])
    assert stopped.value.code == 0
    told = json.loads(out.read_text())
    assert (told["accuracy"], told["categories"]["reasoning"]["correct"]) == (0.5, 0)
    assert "p: accuracy 50.00" in capsys.readouterr().out
    assert "| p | 50.00 |" in page.read_text()


def test_a_missing_prediction_is_one_message_with_row_and_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = lines(tmp_path / "rows.jsonl", [vl_row("a-1"), vl_row("mmmu")])
    given = lines(tmp_path / "p.jsonl", [{"id": "a-1", "chosen": 1, "rejected": 0}])
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--benchmark", "vl_rewardbench", "--rows", rows, "--predictions", given])
    assert stopped.value.code == 1
    assert "rows.jsonl row 2 (id mmmu) has no prediction" in capsys.readouterr().err


def test_what_cannot_be_evaluated_is_refused(tmp_path: Path) -> None:
    rows = lines(tmp_path / "rows.jsonl", [vl_row("a-1")])
    with pytest.raises(ConfigError, match=r"there is no benchmark 'vlrb'; choose one of .*vl_rewardbench"):
        evaluate_benchmark(EvaluateRunSettings(benchmark="vlrb", rows=rows, predictions=("p.jsonl",)))
    absent = EvaluateRunSettings(benchmark="vl_rewardbench", rows=f"{tmp_path}/no.jsonl", predictions=("p.jsonl",))
    with pytest.raises(ConfigError, match=r"no.jsonl: there is no such file or folder"):
        evaluate_benchmark(absent)
    with pytest.raises(ConfigError, match="nothing to evaluate"):
        evaluate_benchmark(EvaluateRunSettings(benchmark="vl_rewardbench", rows=rows))
    with pytest.raises(ConfigError, match="there is no such file"):
        evaluate_benchmark(
            EvaluateRunSettings(benchmark="vl_rewardbench", rows=rows, predictions=(f"{tmp_path}/no.jsonl",))
        )
    with pytest.raises(InputError, match=r"has no usable row of mm_rlhf_rewardbench: the first, rows.jsonl row 1"):
        evaluate_benchmark(EvaluateRunSettings(benchmark="mm_rlhf_rewardbench", rows=rows, predictions=("p.jsonl",)))


def test_rows_that_people_call_a_tie_are_counted_apart(tmp_path: Path) -> None:
    rows = [{"caption": "c", "label_0": label} for label in (1, 0.5, 0.5, 0)]
    predictions = [{"rewards": rewards} for rewards in ([1, 0], [1, 1], [2, 1], [1, 0])]
    result = told(tmp_path, rows, predictions, "mj_bench")
    assert (result["n"], result["correct"], result["accuracy"]) == (2, 1, 0.5)
    assert (result["label_ties"], result["accuracy_with_ties"]) == ({"n": 2, "correct": 1}, 0.5)
    assert list(result["categories"]) == ["uncategorised"]


def test_results_of_several_benchmarks_go_on_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines(tmp_path / "rows.jsonl", [vl_row("a-1")])
    given = lines(tmp_path / "p.jsonl", [{"id": "a-1", "chosen": 1, "rejected": 0}])
    out, page, both = (str(tmp_path / name) for name in ("out.json", "page.html", "both.html"))
    arguments = ["evaluate", "--benchmark", "vl_rewardbench", "--rows", rows, "--predictions", given]
    for typed in ([*arguments, "--json", out, "--page", page], ["leaderboard", out, out, "--page", both]):
        with pytest.raises(SystemExit) as stopped:
            main(typed)
        assert stopped.value.code == 0
    assert Path(page).read_text().count("<section>") == 1
    assert Path(both).read_text().count("<section>") == 2
    with pytest.raises(SystemExit):
        main(["leaderboard", given, "--page", both])
    assert "is no result of `dt2it evaluate --json`" in capsys.readouterr().err
