"""How a language model in one GGUF file becomes a checkpoint folder that trainings can start from."""

import struct
from pathlib import Path

from dt2it_ray.errors import InputError


def write_checkpoint(gguf: Path, output: Path) -> int:
    """Write config, float32 weights and tokenizer of the file to a folder; returns how many weights there are.

    Quantised weights become the numbers that they stand for. Needs the package `gguf`.

    Raises:
        InputError: there is no such file, it is damaged, of no architecture that transformers reads, or `gguf` is not
            installed.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not gguf.is_file():
        raise InputError(f"{gguf}: there is no such file")
    folder, name = str(gguf.parent), gguf.name
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        opened = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    except (OSError, ValueError, IndexError, KeyError, ImportError, struct.error) as error:
        raise InputError(
            f"cannot read {gguf}: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        ) from None
    # transformers refuses to save what it opened from such a file, though nothing is quantised any more.
    config = type(opened.config).from_dict({**opened.config.to_dict(), "quantization_config": None})
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(opened.state_dict())
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return model.num_parameters()
