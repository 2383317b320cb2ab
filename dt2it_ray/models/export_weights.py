"""How a reward model is written for other tools, and how theirs becomes one of ours: every kind of folder is read, and
any of `TARGETS` is written."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.calibration import CALIBRATION, read_calibration
from dt2it_ray.models.collate import Encoder
from dt2it_ray.models.ensemble import read_ensemble
from dt2it_ray.models.export_template import with_system_prompts
from dt2it_ray.models.outside_scorer import imported_config
from dt2it_ray.models.reward_files import (
    OWN,
    REWARD_CONFIG,
    Layout,
    RewardConfig,
    open_reward_model,
    read_reward_config,
    save_reward_model,
)
from dt2it_ray.models.reward_heads import HEAD, INNER_HEAD, VALUE_HEAD
from dt2it_ray.models.weights import VISION_LANGUAGE, check_sharing, read_model_config

TARGETS = ("vllm", "sequence_classification", "value_head", "reward_model")
VALUE_HEAD_FILE = "value_head.safetensors"
VIDEO_PROCESSORS = {"qwen3_vl": "Qwen3VLVideoProcessor", "qwen2_5_vl": "Qwen2VLVideoProcessor"}
VLLM_HEADS = {"qwen2_5_vl": INNER_HEAD}
"""Where vLLM 0.29 wants the head, by `model_type`; that of others is on top. Its Qwen2.5-VL makes a classifier of the
text model inside, its Qwen3-VL of the whole."""
TEXT_CLASSES = {"qwen3_vl": "Qwen3ForCausalLM", "qwen2_5_vl": "Qwen2ForCausalLM"}
"""Of the text model inside, by `model_type`."""


def export_weights(source: str, output: str, to: str, card: Callable[[RewardConfig], str]) -> RewardConfig:
    """Write the reward model of a folder, ours or somebody else's, as a folder for `to`; returns what is known of it.

    Adapters of a LoRA training were merged when the model was saved. All folders but those for `reward_model` have a
    chat template that puts the evaluator's system prompt in front, and an image processor with the model's own limits.
    Every folder scores with `open_scorer` as the source does. `card` makes the text of README.md.

    Raises:
        ConfigError: there is no such target, it cannot hold this readout, or the output is there already.
        StoreError: the source cannot be read.
    """
    known = _exportable(source, output, to)
    model, encoder, config = open_reward_model(source, known.dtype, config=known)
    layout = _layout(to, model.backbone.config.model_type, config)

    def finish(folder: Path) -> None:
        if to != "reward_model":
            _adapt(folder, to, encoder, config)
        (folder / "README.md").write_text(card(config), encoding="utf-8")

    written = save_reward_model(model, encoder, config, output, layout, finish)
    calibration = read_calibration(source)
    if calibration is not None:
        moved = calibration.model_copy(update={"fingerprint": written.fingerprint})
        Path(output, CALIBRATION).write_text(moved.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return written


def _exportable(source: str, output: str, to: str) -> RewardConfig:
    """What is known of the source. Raises ConfigError where the target cannot hold it."""
    if to not in TARGETS:
        raise ConfigError(f"to={to}: weights are written as {', '.join(TARGETS)}")
    if Path(output).exists():
        raise ConfigError(f"output={output}: it exists already; name a new folder")
    together = read_ensemble(source)
    if together is not None:
        raise ConfigError(
            f"{source} is an ensemble, which no other tool computes: export its members one by one: "
            f"{', '.join(together[0])}"
        )
    known = config_of(source)
    if known.critiques:
        raise ConfigError(
            f"{source} reads a critique behind each answer, which no other tool brings. Copy the "
            "folder as it is to use it elsewhere with `dt2it score` and `dt2it serve`"
        )
    if to != "reward_model" and not known.plain:
        raise ConfigError(
            f"to={to}: this form holds one linear layer on the last token, and {source} has head={known.head}, "
            f"pooling={known.pooling}, fusion={known.fusion}. Serve it with `dt2it serve`, or export to=reward_model"
        )
    return known


def config_of(folder: str) -> RewardConfig:
    """What a folder says of its model; of somebody else's, what stands in for it.

    Raises:
        StoreError: no reward model is there.
    """
    if Path(folder, REWARD_CONFIG).is_file():
        return read_reward_config(folder)
    config = read_model_config(folder)
    try:
        check_sharing(SimpleNamespace(config=config))
    except ConfigError:
        return imported_config(folder, shared_prompt=False)
    return imported_config(folder, shared_prompt=True)


def _layout(to: str, family: str, config: RewardConfig) -> Layout:
    if to == "value_head":
        kind = "ForConditionalGeneration" if family in VISION_LANGUAGE else "ForCausalLM"
        return Layout(head=VALUE_HEAD, head_file=VALUE_HEAD_FILE, with_bias=True, kind=kind)
    if to == "vllm":
        return Layout(head=VLLM_HEADS.get(family, HEAD), with_bias=bool(config.bias))
    return OWN


def _adapt(folder: Path, to: str, encoder: Encoder, config: RewardConfig) -> None:
    """What tools need that read the template, the processors and config.json, and nothing of ours."""
    tokenizer = encoder.tokenizer
    sees = encoder.image_processor is not None
    tokenizer.chat_template = with_system_prompts(tokenizer.chat_template, config.system_prompts)
    tokenizer.save_pretrained(folder)
    if sees:
        images = _edit(folder / "preprocessor_config.json", size=encoder.pixel_limits)
        if to == "vllm":
            _write_video_processor(folder, images)
    tree = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if to != "value_head":
        # Regression: vLLM then tells the reward itself, unless a request asks for its sigmoid.
        labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "problem_type": "regression"}
        if "text_config" in tree:
            # vLLM makes the head of the text model inside, and on CPUs wants to know its class.
            name = TEXT_CLASSES[tree["model_type"]]
            tree["text_config"] |= labels | {"architectures": [name]}
        tree |= labels
    if tree.get("pad_token_id") is None:
        tree["pad_token_id"] = encoder.pad_id
    (folder / "config.json").write_text(json.dumps(tree, indent=2, sort_keys=True), encoding="utf-8")


def _write_video_processor(folder: Path, images: dict[str, Any]) -> None:
    """vLLM opens one for every model that could see videos; this one has the figures of the image processor."""
    family = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    video = {name: value for name, value in images.items() if name != "image_processor_type"}
    video["video_processor_type"] = VIDEO_PROCESSORS[family]
    (folder / "video_preprocessor_config.json").write_text(json.dumps(video, indent=2), encoding="utf-8")


def _edit(path: Path, **changes: Any) -> dict[str, Any]:
    tree = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(tree, indent=2), encoding="utf-8")
    return tree
