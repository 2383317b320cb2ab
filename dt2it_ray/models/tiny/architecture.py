"""The shape of the tiny model: Qwen3-VL's own classes at about 2.9 M parameters."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from dt2it_ray.data.scenes.render import SIDE
from dt2it_ray.models.tiny.views import GRID, MERGE, PATCH

HIDDEN = 128
TEXT_LAYERS = 6
VISION_LAYERS = 3
HEADS = 4


def tiny_config(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    """The configuration that fits the tokenizer. The vocabulary is padded to a multiple of 64."""
    special = tokenizer.get_added_vocab()
    config = Qwen3VLConfig(
        text_config={**_text_config(), "vocab_size": -(-len(tokenizer) // 64) * 64},
        vision_config=_vision_config(),
        image_token_id=special["<|image_pad|>"],
        video_token_id=special["<|video_pad|>"],
        vision_start_token_id=special["<|vision_start|>"],
        vision_end_token_id=special["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    assert config.text_config is not None
    # vLLM's CPU platform reads the architecture of the text part.
    config.text_config.architectures = ["Qwen3ForCausalLM"]
    config.text_config.eos_token_id = special["<|im_end|>"]
    config.text_config.pad_token_id = special["<|endoftext|>"]
    return config


def image_processor() -> Qwen2VLImageProcessorPil:
    """Leaves 96x96 pictures as they are; smaller ones grow to, larger ones shrink to about that many pixels."""
    pixels = SIDE * SIDE
    return Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        temporal_patch_size=2,
        merge_size=MERGE,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
        size={"shortest_edge": pixels, "longest_edge": pixels},
    )


def save_tiny(model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write everything that transformers needs to open the model, with weights rounded to bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded: Any = Qwen3VLForConditionalGeneration(tiny_config(tokenizer))
    rounded.load_state_dict(model.state_dict())
    rounded.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    image_processor().save_pretrained(folder)


def _text_config() -> dict:
    return {
        "hidden_size": HIDDEN,
        "intermediate_size": 3 * HIDDEN,
        "num_hidden_layers": TEXT_LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS // 2,
        "head_dim": HIDDEN // HEADS,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5_000_000.0,
            "mrope_section": [8, 4, 4],
            "mrope_interleaved": True,
        },
    }


def _vision_config() -> dict:
    return {
        "depth": VISION_LAYERS,
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_heads": HEADS,
        "out_hidden_size": HIDDEN,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "num_position_embeddings": GRID * GRID,
        "deepstack_visual_indexes": [0, 1],
    }
