"""What is written loads with LLaMA-Factory's own loader, which this test needs to be installed.

Its pins (transformers <= 5.6, datasets <= 4) exclude ours, so that it runs in an environment of its own: see
docs/formats.md.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dt2it_ray.data.formats.preferences.llama_factory import described
from tests.data.formats.preferences.exported import rows_held, write_export

pytest.importorskip("llamafactory", reason="LLaMA-Factory is not installed beside this package's pins")


def test_every_row_is_a_pair_with_its_turns_system_prompt_and_images(tmp_path: Path) -> None:
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.mm_plugin import get_mm_plugin
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments

    path = write_export("llama_factory", tmp_path)
    (tmp_path / "dataset_info.json").write_text(json.dumps({"pairs": described(path.name)}), encoding="utf-8")
    [attributes] = get_dataset_list(["pairs"], str(tmp_path))
    settings = DataArguments(dataset_dir=str(tmp_path), media_dir=str(tmp_path))
    model: Any = SimpleNamespace(cache_dir=str(tmp_path / "cache"), hf_hub_token=None)
    training: Any = SimpleNamespace(local_process_index=0)
    rows = _load_single_dataset(attributes, model, settings, training)

    plugin = get_mm_plugin("qwen2_vl", image_token="<|image_pad|>", video_token="<|video_pad|>")
    pairs = [pair for pair, _ in rows_held("llama_factory")]
    assert len(rows) == len(pairs)
    for row, pair in zip(rows, pairs, strict=True):
        images = row["_images"] or []
        assert [Path(image) for image in images] == [tmp_path / image["path"] for image in pair.images]
        for response in row["_response"]:
            plugin._validate_messages([*row["_prompt"], response], images, [], [])
        assert [answer["content"] for answer in row["_response"]] == [pair.chosen, pair.rejected]
        system = [turn.text for turn in pair.history if turn.role == "system"]
        assert row["_system"] == (system[0] if system else "")
        assert len(row["_prompt"]) == len(pair.history) - len(system) + 1
        assert row["_prompt"][-1]["content"].endswith(pair.question)
