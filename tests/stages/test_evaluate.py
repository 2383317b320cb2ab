"""Benchmark figures equal hand-computed ones."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.metrics import bootstrap_interval
from dt2it_ray.stages.evaluate import EvaluateSettings, evaluate
from tests.stages.rows import prompt_row


def benchmark_row(source: str, item: str, place: int, category: str = "", group: str = "") -> dict:
    row = prompt_row(f"{source}-{place}", ("a longer one", "short"), source=source, category=category)
    chosen, rejected = (answer["answer_id"] for answer in row["answers"])
    row["labels"] = [
        {"pair_id": f"{source}-{place}", "chosen_id": chosen, "rejected_id": rejected, "planted_flip": None}
    ]
    return row | {"item": item, "group": group or item}


def tables(rows: list[dict], rewards: list[tuple[float | None, float | None]]) -> dict[str, pa.Table]:
    scores = [
        {"answer_id": answer["answer_id"], "score": reward}
        for row, both in zip(rows, rewards, strict=True)
        for answer, reward in zip(row["answers"], both, strict=True)
        if reward is not None
    ]
    return {"rows": pa.Table.from_pylist(rows), "scores": pa.Table.from_pylist(scores)}


def test_ties_and_missing_rewards_are_wrong_and_groups_need_every_pair() -> None:
    rows = [benchmark_row("mm_rlhf_rewardbench", "i", place, "mcq", group) for place, group in enumerate("aabbc")]
    given = tables(rows, [(1.0, 0.0), (2.0, 1.0), (1.0, 0.0), (0.5, 0.5), (None, 1.0)])
    outcome = evaluate(given, EvaluateSettings())
    told = outcome.metrics["mm_rlhf_rewardbench"]
    assert (told["n"], told["correct"], told["ties"], told["unscored"]) == (5, 3, 1, 1)
    assert told["accuracy"] == 3 / 5
    assert told["accuracy_ties_half"] == 3.5 / 5
    assert told["acc_plus"] == 1 / 3
    assert told["longer_wins"] == 1.0
    assert told["shorter_wins"] == 0.0
    low, high = told["interval"]
    assert 0 <= low < 3 / 5 < high <= 1
    assert sorted(outcome.rows["credit"].to_pylist(), key=str) == [0.5, 1.0, 1.0, 1.0, None]


def test_categories_of_vl_rewardbench_come_from_the_id() -> None:
    items = ("RLAIF-V-1", "mathverse_2", "wildvision-3", "RLHF")
    rows = [benchmark_row("vl_rewardbench", item, place) for place, item in enumerate(items)]
    given = tables(rows, [(1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
    told = evaluate(given, EvaluateSettings()).metrics["vl_rewardbench"]
    assert {name: (entry["n"], entry["correct"]) for name, entry in told["categories"].items()} == {
        "general": (1, 1),
        "hallucination": (2, 1),
        "reasoning": (1, 0),
    }
    assert told["macro_accuracy"] == (1 + 0.5 + 0) / 3


@pytest.mark.parametrize("benchmark", ["vl_rewardbench", "multimodal_rewardbench", "own"])
def test_ids_that_repeat_make_no_acc_plus_where_it_is_not_defined(benchmark: str) -> None:
    rows = [benchmark_row(benchmark, "same", place, "vqa") for place in range(4)]
    told = evaluate(tables(rows, [(1.0, 0.0)] * 4), EvaluateSettings()).metrics[benchmark]
    assert told["acc_plus"] is None


def test_every_category_has_an_interval_of_its_own() -> None:
    rows = [benchmark_row("own", f"i{place}", place, "long" if place < 30 else "short") for place in range(40)]
    rewards = [(1.0, 0.0) if place % 3 else (0.0, 1.0) for place in range(40)]
    settings = EvaluateSettings(level=0.8, samples=500, seed=7)
    outcome = evaluate(tables(rows, rewards), settings)
    for name, category in outcome.metrics["own"]["categories"].items():
        credits = outcome.rows.filter(pc.equal(outcome.rows["category"], name))["credit"].to_numpy()
        assert category["interval"] == bootstrap_interval(credits, seed=7, level=0.8, samples=500)
        low, high = category["interval"]
        assert 0 < low < category["accuracy"] < high < 1


def test_a_broken_score_names_its_pair() -> None:
    rows = [benchmark_row("own", f"i{place}", place, "c") for place in range(3)]
    given = tables(rows, [(1.0, 0.0), (1.0, float("nan")), (1.0, 0.0)])
    with pytest.raises(StageFailed, match=r"pair own-1 is nan"):
        evaluate(given, EvaluateSettings())


def test_figures_do_not_depend_on_the_order_of_rows() -> None:
    rows = [benchmark_row("own", f"i{place}", place, "c") for place in range(9)]
    rewards = [(float(place % 3), 1.0) for place in range(9)]
    straight = evaluate(tables(rows, rewards), EvaluateSettings())
    backwards = evaluate(tables(rows[::-1], rewards[::-1]), EvaluateSettings())
    assert straight.metrics == backwards.metrics
    assert straight.rows.equals(backwards.rows)
