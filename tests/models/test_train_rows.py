"""What a training pair is, and pairs whose rows are missing."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.errors import InputError
from dt2it_ray.models.train_rows import PROMPT_COLUMNS, TrainingRows, open_training_rows

NAMES = [f"pair-{place}" for place in range(10)]


def rows_of(
    names: list[str],
    prompt: str = "p",
    history: list[dict] | None = None,
    strengths: list[float | None] | None = None,
) -> TrainingRows:
    pairs = pa.table(
        {
            "pair_id": names,
            "prompt_id": [prompt] * len(names),
            "chosen_id": ["yes"] * len(names),
            "rejected_id": ["no"] * len(names),
        }
    )
    if strengths is not None:
        pairs = pairs.append_column("strength", pa.array(strengths, pa.float64()))
    row = {"prompt_id": "p", "images": [], "history": history, "question": "Is it?"}
    prompts = pa.Table.from_pylist([row], schema=pa.schema([PROMPTS.field(name) for name in PROMPT_COLUMNS]))
    return TrainingRows(pairs, prompts, pa.table({"answer_id": ["yes", "no"], "text": ["Yes.", "No."]}))


def test_a_pair_is_two_conversations_about_its_prompt() -> None:
    pair = rows_of(NAMES).pair(3)
    assert pair.pair_id == "pair-3"
    assert [message["content"] for message in (pair.chosen.messages[-1], pair.rejected.messages[-1])] == ["Yes.", "No."]
    assert pair.chosen.messages[:-1] == pair.rejected.messages[:-1]
    assert pair.weight == 1.0


def test_a_pair_has_the_strength_of_the_table_where_it_was_measured() -> None:
    assert math.isnan(rows_of(NAMES).pair(3).strength)
    measured = rows_of(NAMES[:3], strengths=[2.5, None, 0.0])
    assert [measured.pair(0).strength, measured.pair(2).strength] == [2.5, 0.0]
    assert math.isnan(measured.pair(1).strength)


def test_a_pair_shows_the_turns_before_its_question_and_counts_their_length() -> None:
    history = [{"role": "user", "text": "Hello.", "images": 0}, {"role": "assistant", "text": "Hi.", "images": None}]
    pair = rows_of(NAMES, history=history).pair(0)
    assert [message["role"] for message in pair.rejected.messages] == ["user", "assistant", "user", "assistant"]
    assert pair.rejected.messages[1]["content"] == "Hi."
    longer = rows_of(NAMES, history=history).lengths()[0] - rows_of(NAMES).lengths()[0]
    assert longer.tolist() == [len("Hello.") + len("Hi.")] * len(NAMES)


def test_a_pair_whose_prompt_is_missing_and_an_empty_table_are_errors() -> None:
    with pytest.raises(InputError, match="prompt"):
        rows_of(NAMES, prompt="unknown")
    with pytest.raises(InputError, match="no training pairs"):
        rows_of([])


def test_rows_that_several_parts_hold_are_used_once(tmp_path: Path) -> None:
    def write(name: str, table: dict[str, Any]) -> str:
        pq.write_table(pa.table(table), tmp_path / name)
        return f"{tmp_path}/{name}"

    def part(name: str, *prompts: str) -> list[str]:
        answers = [[{"answer_id": f"{prompt}-{kind}", "text": kind} for kind in ("yes", "no")] for prompt in prompts]
        images = [[{"bytes": prompt.encode()}] for prompt in prompts]
        questions = [f"Is it {prompt}?" for prompt in prompts]
        history = pa.nulls(len(prompts), PROMPTS.field("history").type)
        columns = {"images": images, "history": history, "question": questions, "answers": answers}
        return [write(name, {"prompt_id": prompts, **columns})]

    names = {"pair_id": ["1", "2"], "prompt_id": ["b", "a"], "chosen_id": ["b-yes", "a-no"]}
    pairs = write("pairs.parquet", names | {"rejected_id": ["b-no", "a-yes"]})
    rows = open_training_rows([pairs], [part("one.parquet", "b", "unused", "a"), part("two.parquet", "a", "b")])
    assert list(rows.images()) == [b"b", b"a"]
    assert [rows.pair(place).chosen.messages[-1]["content"] for place in range(2)] == ["yes", "no"]
    assert [rows.pair(place).chosen.images for place in range(2)] == [(b"b",), (b"a",)]
