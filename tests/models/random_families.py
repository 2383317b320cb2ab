"""Folders with random weights of other families than Qwen3-VL, real architectures at toy size, for tests only."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from tests.models.random_model import write_random_model

HIDDEN, LAYERS = 32, 2
FAMILIES = ("qwen3_vl", "qwen2_5_vl", "qwen3", "qwen2", "llama")
SIZES: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def write_family(folder: Path, family: str, heads: int = 4) -> str:
    """A folder of this family's model with tokenizer and chat template, and an image processor where it sees.

    `heads` are those of a Qwen2.5-VL's text model.
    """
    write_random_model(folder)
    if family == "qwen3_vl":
        return str(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(5)
    model = _qwen2_5_vl(tokenizer, heads) if family == "qwen2_5_vl" else _text_model(family, len(tokenizer))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.08)
    model.save_pretrained(folder, safe_serialization=True)
    if family == "qwen2_5_vl":
        sizes = {"shortest_edge": 28 * 28, "longest_edge": 112 * 112}
        Qwen2VLImageProcessorPil(patch_size=14, size=sizes).save_pretrained(folder)
    else:
        (folder / "preprocessor_config.json").unlink()
    return str(folder)


def _text_model(family: str, words: int) -> PreTrainedModel:
    if family == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(vocab_size=words, head_dim=8, pad_token_id=0, **SIZES))
    if family == "qwen3_windows":
        windows = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
        return Qwen3ForCausalLM(Qwen3Config(vocab_size=words, head_dim=8, pad_token_id=0, **windows, **SIZES))
    if family == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(vocab_size=words, pad_token_id=0, **SIZES))
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(vocab_size=words, pad_token_id=0, **SIZES))
    return MistralForCausalLM(MistralConfig(vocab_size=words, pad_token_id=0, sliding_window=8, **SIZES))


def _qwen2_5_vl(tokenizer: Any, heads: int) -> PreTrainedModel:
    def token(text: str) -> int:
        return tokenizer.convert_tokens_to_ids(text)

    quarter = HIDDEN // heads // 8
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2 * quarter, quarter, quarter]}
    sizes = SIZES | {"num_attention_heads": heads, "num_key_value_heads": max(1, heads // 2)}
    config = Qwen2_5_VLConfig(
        text_config={"vocab_size": len(tokenizer), "rope_parameters": rope, **sizes},
        # A window of two by two merged patches: an image of 8 x 8 patches has four of them.
        vision_config={
            "depth": 2,
            "hidden_size": HIDDEN,
            "intermediate_size": 64,
            "num_heads": 4,
            "out_hidden_size": HIDDEN,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    return Qwen2_5_VLForConditionalGeneration(config)
