"""What is written goes through TRL's own preparation of preferences: prompts, images and the tokens of both answers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from trl import DPOTrainer
from trl.data_utils import is_conversational, maybe_extract_prompt, prepare_multimodal_messages

from dt2it_ray.models.tiny import tiny_path
from tests.data.formats.preferences.exported import rows_held, write_export

TEXT_FORMS = ("trl", "skywork")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_path())


def loaded(form: str, folder: Path) -> Dataset:
    path = write_export(form, folder)
    return load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder / "cache"))


def test_every_image_finds_its_place(tmp_path: Path) -> None:
    counts = []
    for row in loaded("trl", tmp_path):
        assert is_conversational(row)
        prompt = prepare_multimodal_messages(row["prompt"], images=row["images"])
        shown = [part["image"] for turn in prompt for part in turn["content"] if part["type"] == "image"]
        assert shown == row["images"]
        counts.append(len(shown))
    assert counts == [0, 1, 2, 2, 0]


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_the_answers_are_tokenized_behind_the_prompt(
    form: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    rows = loaded(form, tmp_path)
    settings: Any = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    trainer: Any = SimpleNamespace(_tokenizer=tokenizer)
    prepared = DPOTrainer._prepare_dataset(trainer, rows, tokenizer, settings, "export")
    pairs = [pair for pair, _ in rows_held(form)]
    assert len(prepared) == len(pairs) > 1
    for row, pair in zip(prepared, pairs, strict=True):
        prompt, chosen, rejected = (tokenizer.decode(row[f"{name}_ids"]) for name in ("prompt", "chosen", "rejected"))
        assert all(turn.text in prompt for turn in pair.history)
        assert pair.question in prompt
        assert chosen.startswith(pair.chosen)
        assert rejected.startswith(pair.rejected)


def test_two_chats_have_the_prompt_that_trl_extracts(tmp_path: Path) -> None:
    for row, (pair, _) in zip(loaded("skywork", tmp_path), rows_held("skywork"), strict=True):
        extracted = maybe_extract_prompt(row)
        assert extracted["prompt"][-1] == {"role": "user", "content": pair.question}
        assert len(extracted["prompt"]) == len(pair.history) + 1
