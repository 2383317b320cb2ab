"""Weights leave in the forms of other tools and come back, with the same rewards."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from jinja2.sandbox import ImmutableSandboxedEnvironment
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from dt2it_ray.data.chat import REWARD_SYSTEM, with_system
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.calibration import CALIBRATION
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.ensemble import write_ensemble
from dt2it_ray.models.export_template import with_system_prompts
from dt2it_ray.models.export_weights import TARGETS, export_weights
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.open_scorer import open_scorer
from dt2it_ray.models.reward_files import REWARD_CONFIG, RewardConfig, new_reward_model, save_reward_model
from dt2it_ray.models.reward_settings import ModelSettings
from tests.models.random_families import FAMILIES, write_family
from tests.models.test_open_scorer import calibrate
from tests.models.test_torch_scorer import CHATS, chat

EXACT = ScoreSettings(dtype="float32", decimals=9)
SMALL = CollateSettings(image_max_pixels=64 * 64)
TEXTS = [one for one in CHATS if not one.images] + [chat("图中有几个圆?", "三个。"), chat("How many?", "three")]


def saved(folder: Path, family: str, **readout: Any) -> str:
    """A reward model of a family with smaller images than its backbone's processor makes."""
    base = write_family(folder / "base", family)
    model = new_reward_model(base, "float32", 7, ModelSettings(**readout))
    config = RewardConfig(name="toy", collate=SMALL, **readout)
    save_reward_model(model, open_encoder(base, SMALL), config, str(folder / "model"))
    return str(folder / "model")


def export(source: str, output: Path, to: str) -> str:
    export_weights(source, str(output), to, lambda config: f"# {config.name}\n")
    return str(output)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_form_scores_alike_with_what_we_wrote_into_it_and_without(tmp_path: Path, family: str) -> None:
    source, chats = saved(tmp_path, family), CHATS if "vl" in family else TEXTS
    rewards = open_scorer(source, EXACT).score(chats)
    assert len(set(rewards)) == len(chats)
    for to in TARGETS:
        folder = export(source, tmp_path / to, to)
        assert open_scorer(folder, EXACT).score(chats) == rewards
        assert Path(folder, "README.md").read_text() == "# toy\n"
        if to != "reward_model":
            # What other tools have: the template with the system prompt, and the processor with our limits.
            Path(folder, REWARD_CONFIG).unlink()
            assert open_scorer(folder, EXACT).score(chats) == pytest.approx(rewards, abs=1e-6)


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_transformers_opens_sequence_classification_and_gives_the_same_rewards(tmp_path: Path, family: str) -> None:
    folder = export(saved(tmp_path, family), tmp_path / "out", "sequence_classification")
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    told = []
    for one in TEXTS:
        turns = [{"role": "user", "content": one.messages[0]["content"][-1]["text"]}, one.messages[1]]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        inputs = tokenizer([text], add_special_tokens=False, return_tensors="pt")
        told.append(model(**inputs).logits[0, 0].item())
    assert told == pytest.approx(open_scorer(folder, EXACT).score(TEXTS), abs=1e-5)
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")


def test_a_value_head_lies_in_a_file_of_its_own_beside_a_language_model(tmp_path: Path) -> None:
    folder = export(saved(tmp_path, "llama"), tmp_path / "out", "value_head")
    head = load_file(Path(folder, "value_head.safetensors"))
    assert {name: tuple(value.shape) for name, value in head.items()} == {
        "v_head.summary.weight": (1, 32),
        "v_head.summary.bias": (1,),
    }
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    turns = [{"role": "user", "content": "What is two and two?"}, {"role": "assistant", "content": "four"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    hidden = model.model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0, -1]
    expected = float(hidden.detach() @ head["v_head.summary.weight"][0] + head["v_head.summary.bias"])
    assert open_scorer(folder, EXACT).score([TEXTS[0]]) == pytest.approx([expected], abs=1e-5)


@pytest.mark.parametrize("family", ["qwen3_vl", "llama"])
def test_somebody_elses_value_head_becomes_one_of_ours_and_leaves_again_with_its_bias(
    tmp_path: Path, family: str
) -> None:
    theirs = write_family(tmp_path / "theirs", family)
    head = {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.tensor([0.75])}
    save_file(head, tmp_path / "theirs" / "value_head.safetensors")
    rewards = open_scorer(theirs, EXACT).score(TEXTS)
    ours = export(theirs, tmp_path / "ours", "reward_model")
    assert open_scorer(ours, EXACT).score(TEXTS) == pytest.approx(rewards, abs=1e-6)
    again = export(ours, tmp_path / "again", "value_head")
    written = load_file(Path(again, "value_head.safetensors"))
    assert all(torch.equal(written[name], value) for name, value in head.items())
    without = {**head, "v_head.summary.bias": torch.tensor([0.0])}
    save_file(without, tmp_path / "theirs" / "value_head.safetensors")
    shifted = open_scorer(theirs, EXACT).score(TEXTS)
    assert rewards == pytest.approx([reward + 0.75 for reward in shifted if isinstance(reward, float)], abs=1e-5)


@pytest.mark.parametrize(
    ("family", "head", "classes"),
    [
        ("qwen3_vl", "score.weight", ("Qwen3VLForSequenceClassification", "Qwen3ForCausalLM")),
        ("qwen2_5_vl", "language_model.score.weight", ("Qwen2_5_VLForSequenceClassification", "Qwen2ForCausalLM")),
    ],
)
def test_a_folder_for_vllm_has_what_vllm_asks_for(
    tmp_path: Path, family: str, head: str, classes: tuple[str, str]
) -> None:
    folder = Path(export(saved(tmp_path, family), tmp_path / "out", "vllm"))
    weights = load_file(folder / "model.safetensors")
    assert [name for name in weights if "score" in name] == [head]
    assert weights[head].shape == (1, 32)
    config = json.loads((folder / "config.json").read_text())
    assert (config["architectures"], config["text_config"]["architectures"]) == ([classes[0]], [classes[1]])
    assert config["text_config"]["id2label"] == config["id2label"] == {"0": "LABEL_0"}
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        assert json.loads((folder / name).read_text())["size"]["longest_edge"] == 64 * 64


def test_a_calibration_goes_along(tmp_path: Path) -> None:
    source = saved(tmp_path, "qwen3")
    calibrate(source, temperature=3.0, mean=0.5)
    for to in TARGETS:
        folder = export(source, tmp_path / to, to)
        calibrated = EXACT.model_copy(update={"calibrated": True})
        assert open_scorer(folder, calibrated).score(TEXTS) == open_scorer(source, calibrated).score(TEXTS)
        assert json.loads(Path(folder, CALIBRATION).read_text())["temperature"] == 3.0


def test_a_readout_that_no_other_tool_computes_is_refused_and_one_of_ours_is_written(tmp_path: Path) -> None:
    source = saved(tmp_path, "qwen3_vl", head="silu", pooling="mean")
    for to in ("vllm", "sequence_classification", "value_head"):
        with pytest.raises(ConfigError, match=r"holds one linear layer on the last token.*head=silu, pooling=mean"):
            export(source, tmp_path / "out", to)
    folder = export(source, tmp_path / "out", "reward_model")
    assert open_scorer(folder, EXACT).score(CHATS) == open_scorer(source, EXACT).score(CHATS)
    told = Path(source, REWARD_CONFIG)
    told.write_text(told.read_text().replace('"critiques": false', '"critiques": true'))
    with pytest.raises(ConfigError, match="reads a critique behind each answer"):
        export(source, tmp_path / "critic", "reward_model")
    told.write_text(told.read_text().replace('"critiques": true', '"critiques": false'))
    with pytest.raises(ConfigError, match="exists already"):
        export(source, tmp_path / "out", "reward_model")
    with pytest.raises(ConfigError, match="weights are written as vllm, sequence_classification"):
        export(source, tmp_path / "other", "onnx")


@pytest.mark.parametrize("text", ["How many?", "图中有几个圆?", "a 圆", ""])
def test_the_template_puts_the_system_prompt_of_the_questions_language_in_front(text: str) -> None:
    template = "{% for message in messages %}[{{ message['role'] }}|{{ message['content'] }}]{% endfor %}"
    render = ImmutableSandboxedEnvironment().from_string(with_system_prompts(template, REWARD_SYSTEM)).render
    plain = ImmutableSandboxedEnvironment().from_string(template).render
    parts = [{"type": "image"}, {"type": "text", "text": text}]
    for content in (text, parts):
        first = {"role": "user", "content": "图" if text == "How many?" else "What?"}
        turns = [first, {"role": "assistant", "content": "x"}, {"role": "user", "content": content}]
        assert render(messages=turns) == plain(messages=with_system(turns, REWARD_SYSTEM))
        own = [{"role": "system", "content": "Be strict."}, *turns]
        assert render(messages=own) == plain(messages=own)
    assert with_system_prompts(template, {}) == template


def test_an_ensemble_is_refused_with_what_can_leave_in_its_place(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    members = [str(tmp_path / name) for name in ("first", "second")]
    write_ensemble(str(tmp_path / "all"), members)
    with pytest.raises(ConfigError, match=f"all is an ensemble.*one by one: {members[0]}, {members[1]}"):
        export(str(tmp_path / "all"), tmp_path / "out", "vllm")
