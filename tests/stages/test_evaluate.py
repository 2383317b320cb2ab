"""Benchmark figures equal hand-computed ones."""

import pyarrow as pa

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
    rows = [benchmark_row("own", "i", place, "c", group) for place, group in enumerate("aabbc")]
    given = tables(rows, [(1.0, 0.0), (2.0, 1.0), (1.0, 0.0), (0.5, 0.5), (None, 1.0)])
    outcome = evaluate(given, EvaluateSettings())
    told = outcome.metrics["own"]
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


def test_figures_do_not_depend_on_the_order_of_rows() -> None:
    rows = [benchmark_row("own", f"i{place}", place, "c") for place in range(9)]
    rewards = [(float(place % 3), 1.0) for place in range(9)]
    straight = evaluate(tables(rows, rewards), EvaluateSettings())
    backwards = evaluate(tables(rows[::-1], rewards[::-1]), EvaluateSettings())
    assert straight.metrics == backwards.metrics
    assert straight.rows.equals(backwards.rows)
