"""Derived sets on disk: the exact rows of TRL and LLaMA-Factory, and images written once."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.data.formats.derived_sets import write_derived_sets
from dt2it_ray.data.formats.preference import Turn
from dt2it_ray.data.formats.training_rows import training_row
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder
from tests.stages.rows import png

SETS = ("dpo", "rejection_sampling", "steerlm", "sft")
PREFERENCE = {"set": "dpo", "question": "Q?", "answer": "A", "rejected": "B", "margin": 3.0}
ANSWERED = {"set": "sft", "question": "Q?", "answer": "答", "rejected": None, "margin": None}
PICTURE = {"bytes": png(9), "path": None}


def teaching(*examples: dict[str, Any], images: tuple[dict[str, Any], ...] = (PICTURE,)) -> dict[str, Any]:
    return {"prompt_id": "p", "source": "toy", "images": list(images), "history": None, "examples": list(examples)}


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def test_trl_rows_are_conversational_with_one_image_part_per_image() -> None:
    user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Q?"}]}
    assert training_row("trl", PREFERENCE, (), ["p.png"]) == {
        "prompt": [user],
        "chosen": [{"role": "assistant", "content": [{"type": "text", "text": "A"}]}],
        "rejected": [{"role": "assistant", "content": [{"type": "text", "text": "B"}]}],
        "images": ["p.png"],
        "margin": 3.0,
    }
    assert training_row("trl", ANSWERED, (), []) == {
        "prompt": [{"role": "user", "content": [{"type": "text", "text": "Q?"}]}],
        "completion": [{"role": "assistant", "content": [{"type": "text", "text": "答"}]}],
        "images": [],
    }


def test_llama_factory_rows_hold_one_placeholder_per_image() -> None:
    assert training_row("llama_factory", PREFERENCE, (), ["p.png", "q.png"]) == {
        "conversations": [{"from": "human", "value": "<image><image>Q?"}],
        "chosen": {"from": "gpt", "value": "A"},
        "rejected": {"from": "gpt", "value": "B"},
        "images": ["p.png", "q.png"],
        "system": "",
        "margin": 3.0,
    }
    assert training_row("llama_factory", ANSWERED, (), []) == {
        "conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "答"}],
        "images": [],
        "system": "",
    }


def test_the_turns_before_a_question_stand_in_every_example() -> None:
    history = (Turn("system", "Be brief."), Turn("user", "Hi", 1), Turn("assistant", "Hello"))
    said = [{"from": "human", "value": "<image>Hi"}, {"from": "gpt", "value": "Hello"}]
    asked = {"from": "human", "value": "Q?"}
    row = training_row("llama_factory", ANSWERED, history, ["p.png"])
    assert row == {
        "conversations": [*said, asked, {"from": "gpt", "value": "答"}],
        "images": ["p.png"],
        "system": "Be brief.",
    }
    row = training_row("trl", PREFERENCE, history, ["p.png"])
    assert row is not None
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user", "assistant", "user"]
    assert row["prompt"][1]["content"] == [{"type": "image"}, {"type": "text", "text": "Hi"}]


@pytest.mark.parametrize(
    ("field", "mark"),
    [("question", "<image>"), ("answer", "<video>"), ("rejected", "<audio>"), ("rejected", "<image>")],
)
def test_a_text_that_llama_factory_would_take_for_a_file_is_refused_and_counted(
    field: str, mark: str, tmp_path: Path
) -> None:
    spoilt = {**PREFERENCE, field: f"see {mark} here"}
    counts = write_derived_sets([teaching(spoilt)], Folder(str(tmp_path)), ["dpo"], ["trl", "llama_factory"], "")
    assert counts == {"dpo.trl.jsonl": 1, "dpo.llama_factory.jsonl": 0, "dpo.llama_factory.refused": 1}
    assert rows_of(tmp_path, "dpo.llama_factory.jsonl") == []


def test_every_set_has_a_file_per_format_and_the_index_names_them(tmp_path: Path) -> None:
    rows = [teaching(PREFERENCE, ANSWERED), teaching(ANSWERED, images=())]
    counts = write_derived_sets(rows, Folder(str(tmp_path)), SETS, ["trl", "llama_factory"], "helpfulness:4")
    assert {name: count for name, count in counts.items() if count} == {
        "dpo.trl.jsonl": 1,
        "dpo.llama_factory.jsonl": 1,
        "sft.trl.jsonl": 2,
        "sft.llama_factory.jsonl": 2,
    }
    index = json.loads((tmp_path / "dataset_info.json").read_text())
    assert list(index) == list(SETS)
    assert all((tmp_path / entry["file_name"]).exists() for entry in index.values())
    assert index["dpo"] == {
        "file_name": "dpo.llama_factory.jsonl",
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {
            "messages": "conversations",
            "images": "images",
            "system": "system",
            "chosen": "chosen",
            "rejected": "rejected",
        },
    }
    assert "ranking" not in index["sft"]
    for name, entry in index.items():
        for row in rows_of(tmp_path, entry["file_name"]):
            assert set(entry["columns"].values()) <= set(row), name
    steering = json.loads((tmp_path / "steerlm.json").read_text())
    assert steering == {"question": "{question}\n\n{attributes}", "attributes": "helpfulness:4"}


def test_images_are_written_once_by_content_and_paths_stay(tmp_path: Path) -> None:
    own = {"bytes": None, "path": "mine/a.jpg"}
    rows = [teaching(PREFERENCE, ANSWERED, images=(PICTURE, own)), teaching(ANSWERED)]
    write_derived_sets(rows, Folder(str(tmp_path)), SETS, ["trl"], "")
    [file] = (tmp_path / "images").iterdir()
    assert file.read_bytes() == PICTURE["bytes"]
    named = [row["images"] for row in rows_of(tmp_path, "sft.trl.jsonl")]
    assert named == [[f"images/{file.name}", "mine/a.jpg"], [f"images/{file.name}"]]
    assert file.suffix == ".png"
    assert not (tmp_path / "dataset_info.json").exists()


def test_a_failed_writing_leaves_no_half_file(tmp_path: Path) -> None:
    rows = [teaching(ANSWERED), teaching(ANSWERED, images=({"bytes": b"no image", "path": None},))]
    with pytest.raises(InputError, match="cannot be opened"):
        write_derived_sets(rows, Folder(str(tmp_path)), ["sft"], ["trl"], "")
    assert not list(tmp_path.glob("*.jsonl*"))
