"""Which files a checkpoint's folder must have, and what is said where one is missing or belongs to another model."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dt2it_ray.errors import StoreError

VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
"""Any of them holds the tokens."""
IMAGE_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
IN_A_LAYER = re.compile(r"(?:.*\.)?(?:layers|blocks)\.\d+(?=\.)")


def check_reader_files(folder: str, sees_images: bool) -> None:
    """Raises StoreError naming the files that turn a conversation into inputs and are not in the folder.

    transformers makes do without some of them, with other tokens than the model has learned.
    """
    kinds = [("config.json",), VOCABULARIES, ("tokenizer_config.json",), *([IMAGE_PROCESSORS] if sees_images else [])]
    missing = [names[0] for names in kinds if not any(Path(folder, name).is_file() for name in names)]
    if missing:
        raise StoreError(f"{folder} has no {' and no '.join(missing)}: copy the folder again, with all of its files")


def check_vocabulary(folder: str, tokenizer: Any) -> None:
    """Raises StoreError if the tokenizer has tokens that the model of the folder has no embedding for."""
    tree = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    known = tree.get("text_config", tree).get("vocab_size") or tree.get("vocab_size")
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if known is not None and highest >= known:
        raise StoreError(
            f"the tokenizer in {folder} has token {highest}, and the model embeds {known}: they are of two models. Put "
            "the tokenizer's files of the model's own backbone into the folder"
        )


def check_loaded(folder: str, report: dict[str, Any]) -> None:
    """Raises StoreError unless the weights that transformers found are those of the class that config.json names.

    Heads that the class does not have may be there; weights of its layers that it does not have may not.
    """
    wrong = [f"{name} is missing" for name in sorted(report["missing_keys"])]
    wrong += [
        f"{name} is {_shape(stored)}, and {_shape(wanted)} by config.json"
        for name, stored, wanted in sorted(report["mismatched_keys"])
    ]
    wrong += [f"{name} has no place" for name in _homeless(folder, report["unexpected_keys"])]
    if wrong:
        raise StoreError(
            f"the weights of {folder} do not fit its config.json: {len(wrong)} tensors, first {wrong[0]}. The "
            "download or copy is incomplete, or the files are of two models."
        )


def _homeless(folder: str, unexpected: Sequence[str]) -> list[str]:
    """Weights of layers that the model has, by number, under names that it does not know."""
    tree = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    layers = tree.get("text_config", tree).get("num_hidden_layers", 0)
    told = []
    for name in sorted(unexpected):
        place = IN_A_LAYER.match(name)
        if place and "rotary_emb" not in name and int(place.group().rsplit(".", 1)[1]) < layers:
            told.append(name)
    return told


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
