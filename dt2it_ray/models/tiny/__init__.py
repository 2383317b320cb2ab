"""Where the shipped tiny Qwen3-VL lies. Imports no model library."""

from importlib import resources
from pathlib import Path


def tiny_path() -> Path:
    """The folder of the shipped model: config, bf16 safetensors, tokenizer, chat template, image processor, card."""
    return Path(str(resources.files(__name__).joinpath("weights")))
