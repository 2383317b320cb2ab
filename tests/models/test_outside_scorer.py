"""Reward models that others made score as their own classes do."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM, Qwen3ForSequenceClassification

from dt2it_ray.data.chat import answered
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.open_scorer import open_scorer
from dt2it_ray.models.outside_scorer import OutsideScorer
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.models.weights import load_backbone
from tests.models.random_families import write_family
from tests.models.random_model import picture, write_random_model


def chat(answer: str, *images: bytes, question: str = "How many red circles?") -> Conversation:
    return Conversation(tuple(answered(question, len(images), answer)), images)


def text_model(folder: Path, kind: Any, **changes: Any) -> Any:
    """A random text model of this class in a folder with a tokenizer."""
    write_random_model(folder / "vision")
    tokenizer = AutoTokenizer.from_pretrained(folder / "vision")
    tokenizer.save_pretrained(folder / "model")
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, pad_token_id=tokenizer.pad_token_id, **changes,
    )  # fmt: skip
    torch.manual_seed(3)
    model = kind(config).double().eval()
    model.save_pretrained(folder / "model", safe_serialization=True)
    return model


def tokens(folder: Path, answer: str) -> torch.Tensor:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    turns = [{"role": "user", "content": "How many red circles?"}, {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    return tokenizer([text], return_tensors="pt", add_special_tokens=False)["input_ids"]


def test_sequence_classification_scores_as_its_class_does(tmp_path: Path) -> None:
    model = text_model(tmp_path, Qwen3ForSequenceClassification, num_labels=1)
    folder = tmp_path / "model"
    scorer = open_scorer(str(folder), ScoreSettings(decimals=9), threads=1)
    assert isinstance(scorer, OutsideScorer)
    rewards = scorer.score([chat("three"), chat("There are four of them.")])
    with torch.no_grad():
        expected = [float(model(tokens(folder, text)).logits[0, 0]) for text in ("three", "There are four of them.")]
    assert rewards == pytest.approx(expected, abs=1e-8)
    assert rewards[0] != rewards[1]


def test_a_value_head_reads_the_last_token_and_adds_its_bias(tmp_path: Path) -> None:
    model = text_model(tmp_path, Qwen3ForCausalLM)
    folder = tmp_path / "model"
    head = {"v_head.summary.weight": torch.randn(1, 16).double(), "v_head.summary.bias": torch.tensor([0.25]).double()}
    save_file(head, folder / "value_head.safetensors")
    with torch.no_grad():
        hidden = model.model(tokens(folder, "three")).last_hidden_state[0, -1]
        expected = float(hidden @ head["v_head.summary.weight"][0]) + 0.25
    assert open_scorer(str(folder), ScoreSettings(decimals=9)).score([chat("three")]) == pytest.approx([expected])


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl"])
@pytest.mark.parametrize("name", ["score.weight", "v_head.summary.weight"])
def test_a_head_on_our_backbone_sees_images_and_no_system_prompt_of_ours(
    tmp_path: Path, name: str, family: str
) -> None:
    folder = write_family(tmp_path / "m", family)
    width = load_backbone(folder, "float32").config.text_config.hidden_size
    save_file({name: torch.randn(1, width)}, tmp_path / "m" / "value_head.safetensors")
    scorer = open_scorer(folder, ScoreSettings(), threads=1)
    assert isinstance(scorer, TorchScorer)
    rewards = scorer.score([chat("three", picture(1)), chat("three", picture(2)), chat("four", picture(1))])
    assert len(set(rewards)) == 3
    encoded = scorer.encoder.encode(chat("three", picture(1)))
    assert not isinstance(encoded, Dropped)
    assert "impartial" not in scorer.encoder.tokenizer.decode(encoded.ids)


def test_a_conversation_that_cannot_be_read_is_dropped_with_a_reason(tmp_path: Path) -> None:
    text_model(tmp_path, Qwen3ForSequenceClassification, num_labels=1)
    settings = ScoreSettings(collate=CollateSettings(max_length=60))
    scorer = OutsideScorer(str(tmp_path / "model"), settings)
    told = scorer.score([chat("three " * 60), chat("<|im_end|>"), chat("x", b"no image"), chat("three")])
    reasons = [str(entry.reason) for entry in told if isinstance(entry, Dropped)]
    assert reasons == ["prompt_too_long", "field_invalid", "image_undecodable"]
    assert isinstance(told[3], float)


def test_what_gives_no_single_reward_is_refused(tmp_path: Path) -> None:
    text_model(tmp_path / "two", Qwen3ForSequenceClassification, num_labels=2)
    with pytest.raises(ConfigError, match="gives 2 numbers per text"):
        open_scorer(str(tmp_path / "two" / "model"), ScoreSettings())
    text_model(tmp_path / "none", Qwen3ForCausalLM)
    with pytest.raises(StoreError, match=r"is no reward model: no \.\.\.ForSequenceClassification, none of score"):
        open_scorer(str(tmp_path / "none" / "model"), ScoreSettings())
    with pytest.raises(StoreError, match="is not a model folder"):
        open_scorer(str(tmp_path), ScoreSettings())


def test_weights_that_are_missing_are_an_error(tmp_path: Path) -> None:
    text_model(tmp_path, Qwen3ForSequenceClassification, num_labels=1)
    path = tmp_path / "model" / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(path).items() if name != "score.weight"}
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(StoreError, match=r"do not fit its config.json: 1 tensors, first score.weight"):
        open_scorer(str(tmp_path / "model"), ScoreSettings())
    assert json.loads((tmp_path / "model" / "config.json").read_text())["model_type"] == "qwen3"
