"""A Qwen3-VL folder with random weights and pairs to train it on: the real architecture at toy size, for tests only."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.models.train_loop import TrainJob
from dt2it_ray.models.train_settings import TrainSettings

SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
CORPUS = (
    "How many red circles are in the image?",
    "There are three red circles.",
    "图中有几个圆?",
    "system user assistant",
)

ANSWERS = {"right": "There are three red circles.", "short": "three", "wrong": "图中没有圆。"}

TEMPLATE = """{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\\n' -}}
{%- if message.content is string -%}{{- message.content -}}{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}{%- else -%}{{- part.text -}}
{%- endif -%}{%- endfor -%}{%- endif -%}{{- '<|im_end|>\\n' -}}
{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""


def write_random_model(
    folder: Path, *, hidden: int = 32, layers: int = 2, depth: int = 2, corpus: Iterable[str] = CORPUS, seed: int = 0
) -> Path:
    """A folder that loads as Qwen3VLForConditionalGeneration, with tokenizer, chat template and image processor."""
    tokenizer = _tokenizer(corpus)
    tokenizer.save_pretrained(folder)
    _image_processor().save_pretrained(folder)
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(_config(tokenizer, hidden, layers, depth))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.08)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def _tokenizer(corpus: Iterable[str]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=1000, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=SPECIAL
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _image_processor() -> Qwen2VLImageProcessorPil:
    return Qwen2VLImageProcessorPil(
        patch_size=16,
        temporal_patch_size=2,
        merge_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": 32 * 32, "longest_edge": 96 * 96},
    )


def _config(tokenizer: PreTrainedTokenizerFast, hidden: int, layers: int, depth: int) -> Qwen3VLConfig:
    def token(text: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(text))  # pyright: ignore[reportArgumentType]

    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": hidden,
            "intermediate_size": 3 * hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [8, 4, 4],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": depth,
            "hidden_size": hidden,
            "intermediate_size": 2 * hidden,
            "num_heads": 4,
            "out_hidden_size": hidden,
            "patch_size": 16,
            "num_position_embeddings": 36,
            "deepstack_visual_indexes": list(range(depth - 1)),
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def picture(seed: int) -> bytes:
    """A PNG of 96x96 random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def write_toy_pairs(folder: Path, num_prompts: int) -> TrainJob:
    """A job whose pairs (two per prompt, in two part files) always prefer the same answer; settings are small."""
    rows = [
        {
            "prompt_id": f"prompt-{number:03}",
            "images": [{"bytes": picture(number), "path": None}],
            "history": None,
            "question": f"How many red circles are in image {number}?",
            "answers": [{"answer_id": f"{name}-{number:03}", "text": text} for name, text in ANSWERS.items()],
        }
        for number in range(num_prompts)
    ]
    pq.write_table(
        pa.Table.from_pylist(rows, schema=pa.schema([PROMPTS.field(name) for name in rows[0]])), folder / "r"
    )
    for part, worse in enumerate(("short", "wrong")):
        names = [row["prompt_id"].removeprefix("prompt-") for row in rows]
        pairs = {
            "pair_id": [f"pair-{worse}-{name}" for name in names],
            "prompt_id": [f"prompt-{name}" for name in names],
            "chosen_id": [f"right-{name}" for name in names],
            "rejected_id": [f"{worse}-{name}" for name in names],
        }
        pq.write_table(pa.table(pairs), folder / f"pairs-{part}")
    return TrainJob(
        settings=TrainSettings(global_batch_pairs=4, learning_rate=3e-3, precision="float32"),
        name="toy",
        base=str(write_random_model(folder / "base")),
        pairs_paths=(str(folder / "pairs-0"), str(folder / "pairs-1")),
        rows_paths=((str(folder / "r"),),),
        output=str(folder / "output"),
        micro_batch_pairs=4,
    )
