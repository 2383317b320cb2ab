"""The pairs of a prompt stand in one row, whatever their order was."""

import pyarrow as pa

from dt2it_ray.data.preferences import PAIRS_OF_PROMPT
from dt2it_ray.data.schema import DOUBTED, PAIRS
from dt2it_ray.rules.by_prompt import group_by_prompt


def pair(name: str, prompt: str) -> dict[str, object]:
    return {"pair_id": name, "prompt_id": prompt, "chosen_id": f"{name}+", "rejected_id": f"{name}-", "strength": 0.5}


def table(*pairs: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(pairs), schema=PAIRS)


def test_pairs_are_grouped_and_sorted() -> None:
    rows = [pair("3", "q"), pair("2", "p"), pair("1", "q")]
    grouped = group_by_prompt(table(*rows), PAIRS_OF_PROMPT)
    assert grouped.equals(group_by_prompt(table(*reversed(rows)), PAIRS_OF_PROMPT))
    assert [(row["prompt_id"], [one["pair_id"] for one in row["pairs"]]) for row in grouped.to_pylist()] == [
        ("p", ["2"]),
        ("q", ["1", "3"]),
    ]
    assert grouped["pairs"][0].as_py() == [{k: v for k, v in rows[1].items() if k != "prompt_id"}]


def test_only_the_fields_asked_for_are_kept() -> None:
    grouped = group_by_prompt(table(pair("1", "p")), DOUBTED)
    assert grouped.to_pylist() == [
        {"prompt_id": "p", "pairs": [{"pair_id": "1", "chosen_id": "1+", "rejected_id": "1-"}]}
    ]


def test_no_pairs_make_no_rows() -> None:
    assert group_by_prompt(table(), PAIRS_OF_PROMPT).num_rows == 0
