"""Folders that are incomplete, or put together from two models, are refused with a message that names the fault."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from dt2it_ray.errors import StoreError
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.open_scorer import open_scorer
from dt2it_ray.models.reward_files import REWARD_CONFIG, RewardConfig, new_reward_model, save_reward_model
from tests.models.random_families import write_family
from tests.models.random_model import write_random_model

FAMILIES = ("qwen3_vl", "qwen3", "llama")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a reward model of each family, by its name."""
    root = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        base = write_family(root / f"{family}-base", family)
        model, encoder = new_reward_model(base, "float32", 7), open_encoder(base, CollateSettings())
        save_reward_model(model, encoder, RewardConfig(name=family), str(root / family))
    return root


@pytest.fixture(params=["ours", "theirs"])
def copied(request: pytest.FixtureRequest, models: Path, tmp_path: Path) -> Path:
    """The same folders to damage, as we wrote them and as somebody else would have."""
    for family in FAMILIES:
        shutil.copytree(models / family, tmp_path / family)
        if request.param == "theirs":
            (tmp_path / family / REWARD_CONFIG).unlink()
    return tmp_path


def refuse(folder: Path, message: str) -> None:
    """Neither scoring nor training takes the folder, and both say why."""
    with pytest.raises(StoreError, match=message) as told:
        open_scorer(str(folder), ScoreSettings(dtype="float32"))
    assert str(folder) in str(told.value)
    with pytest.raises(StoreError, match=message):
        start_training(str(folder))


def start_training(folder: str) -> None:
    open_encoder(folder, CollateSettings())
    new_reward_model(folder, "float32", 1)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("family", ["qwen3_vl", "qwen3"])
def test_a_missing_tokenizer_file_is_named(copied: Path, family: str, name: str) -> None:
    (copied / family / name).unlink()
    refuse(copied / family, f"has no {name}: copy the folder again")


def test_a_missing_chat_template_or_image_processor_is_named(copied: Path) -> None:
    (copied / "qwen3" / "chat_template.jinja").unlink()
    refuse(copied / "qwen3", "has no chat template")
    (copied / "qwen3_vl" / "preprocessor_config.json").unlink()
    refuse(copied / "qwen3_vl", r"has no preprocessor_config\.json")


def test_a_tokenizer_with_more_tokens_than_the_model_knows_is_of_another_model(copied: Path) -> None:
    path = copied / "qwen3" / "tokenizer.json"
    tree = json.loads(path.read_text())
    last = len(tree["model"]["vocab"])
    tree["model"]["vocab"] |= {f"word{number}": last + number for number in range(9)}
    path.write_text(json.dumps(tree))
    refuse(copied / "qwen3", "and the model embeds 326: they are of two models")


@pytest.mark.parametrize(
    ("family", "other", "named"),
    [
        ("qwen3_vl", "llama", "embed_tokens.weight is missing"),
        ("qwen3", "llama", "self_attn.k_norm.weight is missing"),
        # All that a Llama needs is there; that norms are left over is the only sign.
        ("llama", "qwen3", "self_attn.k_norm.weight has no place"),
    ],
)
def test_weights_of_another_backbone_are_named(copied: Path, family: str, other: str, named: str) -> None:
    shutil.copy(copied / other / "model.safetensors", copied / family)
    refuse(copied / family, f"do not fit its config.json: .*{named}.*of two models")


def test_weights_of_another_shape_are_named_with_both_shapes(copied: Path, tmp_path: Path) -> None:
    wide = write_random_model(tmp_path / "wide", hidden=64)
    head = load_file(copied / "qwen3_vl" / "model.safetensors")["score.weight"]
    weights = {**load_file(wide / "model.safetensors"), "score.weight": head}
    save_file(weights, copied / "qwen3_vl" / "model.safetensors", metadata={"format": "pt"})
    refuse(copied / "qwen3_vl", "embed_tokens.weight is 326x64, and 326x32 by config.json")


def test_a_head_of_another_width_is_named_with_both_shapes(copied: Path) -> None:
    path = copied / "qwen3_vl" / "model.safetensors"
    weights = load_file(path)
    weights["score.weight"] = weights["score.weight"][:, :16].contiguous()
    save_file(weights, path, metadata={"format": "pt"})
    refuse(copied / "qwen3_vl", r"score.weight is \(1, 16\), not \(1, 32\)")


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen3"])
def test_a_file_that_ends_early_is_damaged(copied: Path, family: str) -> None:
    path = copied / family / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refuse(copied / family, "(is damaged|cannot load the weights)")
