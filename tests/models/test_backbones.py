"""Where a backbone is does not matter, what it holds does."""

from pathlib import Path

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.models import backbones
from dt2it_ray.models.backbones import find_backbone


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(5000))
    return folder


def digest(folder: Path) -> str:
    return find_backbone(str(folder)).digest


def test_a_relative_path_leads_to_the_same_folder_from_everywhere(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkpoint.parent)
    assert find_backbone("checkpoint").path == str(checkpoint)


def test_files_that_decide_nothing_do_not_count(checkpoint: Path) -> None:
    before = digest(checkpoint)
    for name in ("README.md", "optimizer.pt", ".DS_Store"):
        (checkpoint / name).write_text("anything")
    assert digest(checkpoint) == before
    (checkpoint / "tokenizer.json").write_text("{}")
    assert digest(checkpoint) != before


@pytest.mark.parametrize("place", [0, 1200, 2048, 4999])
def test_every_stretch_of_a_large_file_counts(checkpoint: Path, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "HASHED_WHOLE_BYTES", 4000)
    monkeypatch.setattr(backbones, "STRETCH_BYTES", 1024)
    monkeypatch.setattr(backbones, "BLOCK_BYTES", 256)
    before = digest(checkpoint)
    weights = bytearray(5000)
    weights[place] = 1
    (checkpoint / "model.safetensors").write_bytes(weights)
    assert digest(checkpoint) != before


def test_a_folder_that_is_no_checkpoint_is_named(checkpoint: Path) -> None:
    (checkpoint / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"backbone=.*checkpoint holds no config\.json"):
        find_backbone(str(checkpoint))
