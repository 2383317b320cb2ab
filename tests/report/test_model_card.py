"""A card tells what is known of a model, and says so where nothing is."""

from typing import Any

import yaml

from dt2it_ray.report.model_card import USES, CardFacts, build_model_card

MODEL: dict[str, Any] = {
    "head": "linear",
    "pooling": "last",
    "fusion": "early",
    "dtype": "float32",
    "bias": 0.25,
    "fingerprint": "abc123",
    "system_prompts": {"en": "Be strict."},
    "collate": {"max_length": 7168, "image_min_pixels": None, "image_max_pixels": 268324},
}
TRAINING: dict[str, Any] = {
    "run": "demo",
    "step": "iter-02/train",
    "fingerprint": "f00d",
    "inputs": {"pairs": "aaa", "rows/open": "bbb"},
    "settings": {
        "backbone": {"digest": "d1"},
        "train": {
            "epochs": 3,
            "learning_rate": 5e-5,
            "model": {"lora": {"rank": 8, "alpha": 16}},
            "loss": {
                "margin_scale": 0.0,
                "label_smoothing": 0.1,
                "scaling_rate": 0.5,
                "shortcut": {"enabled": False, "proxy": "backbone"},
                "contrastive": {"weight": 0.2, "images": 1},
            },
        },
    },
    "counts": {"rows_out": 1234, "dropped": 5},
    "metrics": {"loss": 0.51234567, "accuracy": 0.75, "eval_accuracy": 0.7, "other": 1},
    "provenance": {"commit": "c0ffee", "packages": {"torch": "2.13.0", "vllm": None}},
}


def card(**facts: Any) -> str:
    return build_model_card(CardFacts(name="iter-02", model=MODEL, **({"to": "vllm"} | facts)))


def test_the_metadata_is_yaml_that_hubs_read() -> None:
    _, header, _ = card(license="apache-2.0", base="Qwen/Qwen3-VL-8B: Instruct").split("---\n", 2)
    told = yaml.safe_load(header)
    assert told["license"] == "apache-2.0"
    assert told["base_model"] == "Qwen/Qwen3-VL-8B: Instruct"
    assert "reward-model" in told["tags"]
    assert yaml.safe_load(card().split("---\n")[1])["license"] == "unknown"


def test_a_trained_model_tells_its_run_data_losses_and_figures() -> None:
    text = card(training=TRAINING)
    for told in ("`demo`, step `iter-02/train`", "pairs `aaa`, rows/open `bbb`", "1,234, and 5 refused", "c0ffee"):
        assert told in text
    assert "loss: Bradley-Terry, label_smoothing 0.1, contrastive (weight 0.2, images 1)\n" in text
    assert "loss 0.5123, accuracy 0.75, eval_accuracy 0.7\n" in text
    assert "rank 8, alpha 16" in text
    assert "vllm None" not in text


def test_what_nobody_knows_is_said_to_be_unknown() -> None:
    text = card()
    assert "- base: unknown" in text
    assert "Nothing is recorded beside the weights." in text
    assert "No results were given to the export." in text
    assert "Calibration" not in text


def test_results_and_calibration_are_shown() -> None:
    result = {"benchmark": "vl_rewardbench", "model": "iter-02", "n": 1247, "accuracy": 0.81234}
    calibration = {"pairs": 500, "reference": "set", "accuracy": 0.75, "mean": 1.5, "temperature": 2.0}
    text = card(results=[result], calibration=calibration | {"ece_before": 0.12345, "ece_after": 0.02})
    assert "| vl_rewardbench | iter-02 | 1,247 | 0.8123 |" in text
    assert "(reward - 1.5) / 2" in text
    assert "0.1235 before and 0.0200 after" in text


def test_every_target_has_its_use_and_the_bias_is_told_where_it_is_lost() -> None:
    for to, use in USES.items():
        text = card(to=to)
        assert use in text
        assert ("this form has no place for" in text) == (to == "sequence_classification")
        assert ("chat template puts a system prompt" in text) == (to != "reward_model")
