"""How the card of a reward model reads: README.md with the metadata that model hubs show."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Figures = Mapping[str, Any]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class CardFacts:
    """All that a card tells; what nobody knows is empty and said to be unknown."""

    name: str
    to: str
    """What the folder was written for, see `USES`."""
    model: Figures
    """What the model's folder says about itself: readout, system prompts, limits, precision, fingerprint."""
    license: str = ""
    base: str = ""
    """The checkpoint that it was trained from."""
    training: Figures = field(default_factory=dict)
    """`step`, `fingerprint`, `inputs`, `settings`, `counts`, `metrics` and `provenance` of the training."""
    calibration: Figures = field(default_factory=dict)
    results: Sequence[Figures] = ()
    """Results of `dt2it evaluate --json`."""


USES = {
    "vllm": """\
    vllm serve FOLDER --limit-mm-per-prompt '{"image": 8, "video": 0}'

Then `POST /classify` with `messages`, the answer last; `probs[0]` is the reward as it is. The class's name makes vLLM
pool and classify; older releases want `--runner pooling --convert classify`. Leave the option out for a model of text
alone.""",
    "sequence_classification": """\
`AutoModelForSequenceClassification` of transformers opens it if the backbone is a text model; `logits[0, 0]` is the
reward. For a backbone that sees images transformers has no such class.""",
    "value_head": """\
The backbone as a language model, and in `value_head.safetensors` the layer `v_head.summary` that TRL and LLaMA-Factory
read: the reward is its value at the last token.""",
    "reward_model": "    dt2it score --model FOLDER --input ROWS --output REWARDS.parquet",
}
PARTS = ("loss", "accuracy", "margin", "steps", "pairs_per_s")


def build_model_card(facts: CardFacts) -> str:
    """The card as Markdown."""
    sections = [
        f"# {facts.name}",
        "A reward model: one number per conversation, higher is better. Differences between answers to one prompt have "
        "meaning, single numbers have none" + (" until they are calibrated." if facts.calibration else "."),
        *_section("How to use it", [USES[facts.to]]),
        *_section("What it is", _list(_identity(facts))),
        *_section("Training", _list(_training(facts.training)) or ["Nothing is recorded beside the weights."]),
        *_section("Evaluation", _results(facts.results) or ["No results were given to the export."]),
        *(_section("Calibration", _calibration(facts.calibration)) if facts.calibration else []),
        *_section("Limits", _limits(facts)),
    ]
    return "\n\n".join([_metadata(facts), *sections]) + "\n"


def _metadata(facts: CardFacts) -> str:
    lines = ["---", f"license: {json.dumps(facts.license or UNKNOWN)}", "library_name: transformers"]
    if facts.base:
        lines.append(f"base_model: {json.dumps(facts.base)}")
    lines += ["pipeline_tag: text-classification", "tags:", "- reward-model", "- dt2it_ray", "---"]
    return "\n".join(lines)


def _section(title: str, body: Iterable[str]) -> list[str]:
    return [f"## {title}", *body]


def _list(entries: Mapping[str, Any]) -> list[str]:
    told = [f"- {name}: {value}" for name, value in entries.items() if value not in (None, "", {}, [])]
    return ["\n".join(told)] if told else []


def _identity(facts: CardFacts) -> dict[str, Any]:
    model, collate = facts.model, facts.model["collate"]
    pixels = [f"{name} {collate[key]:,}" for name, key in _PIXELS.items() if collate.get(key)]
    return {
        "base": facts.base or UNKNOWN,
        "license": facts.license or "unknown; that of the base and of the data bind whoever passes it on",
        "readout": ", ".join(f"{name} {model[name]}" for name in ("head", "pooling", "fusion")),
        "precision of the weights": model["dtype"],
        "bias added to every reward": model["bias"] or None,
        "most tokens of a conversation": f"{collate['max_length']:,}",
        "pixels of an image": ", ".join(pixels) or "as the base's image processor says",
        "fingerprint": f"`{model['fingerprint']}`",
        **{f"system prompt ({language})": f"`{text}`" for language, text in model["system_prompts"].items()},
    }


_PIXELS = {"at least": "image_min_pixels", "at most": "image_max_pixels"}


def _training(made: Figures) -> dict[str, Any]:
    if not made:
        return {}
    train = made["settings"]["train"]
    inputs = ", ".join(f"{name} `{fingerprint}`" for name, fingerprint in made["inputs"].items())
    chosen = ("epochs", "learning_rate", "head_learning_rate", "global_batch_pairs", "precision", "zero_stage", "seed")
    metrics = {name: figure for name, figure in made["metrics"].items() if _is_told(name)}
    return {
        "run": f"`{made['run']}`, step `{made['step']}`, fingerprint `{made['fingerprint']}`",
        "data, by fingerprint": inputs,
        "pairs": f"{made['counts']['rows_out']:,}, and {made['counts']['dropped']:,} refused",
        "digest of the base": f"`{made['settings']['backbone']['digest']}`",
        "settings": ", ".join(f"{name} {train[name]}" for name in chosen if train.get(name) is not None),
        "loss": _losses(train.get("loss", {})),
        "adapters": _flat(train.get("model", {}).get("lora") or {}) or None,
        "figures of the last steps": ", ".join(f"{name} {_short(figure)}" for name, figure in metrics.items()),
        "made with": ", ".join(f"{name} {version}" for name, version in _packages(made).items()),
        "commit": made["provenance"].get("commit"),
    }


def _is_told(name: str) -> bool:
    return name in PARTS or name.startswith("eval_")


def _losses(loss: Figures) -> str:
    """Bradley-Terry, and what was added to it."""
    added = [
        f"{name} {_flat(value) if isinstance(value, Mapping) else value}"
        for name, value in loss.items()
        if (value.get("enabled") or value.get("weight") if isinstance(value, Mapping) else value)
        and name not in ("scaling_rate",)
    ]
    return ", ".join(["Bradley-Terry", *added])


def _flat(tree: Figures) -> str:
    told = ", ".join(f"{name} {value}" for name, value in tree.items())
    return f"({told})" if told else ""


def _packages(made: Figures) -> dict[str, str]:
    return {name: version for name, version in made["provenance"].get("packages", {}).items() if version}


def _results(results: Sequence[Figures]) -> list[str]:
    if not results:
        return []
    rows = [f"| {each['benchmark']} | {each['model']} | {each['n']:,} | {each['accuracy']:.4f} |" for each in results]
    return ["\n".join(["| benchmark | model | pairs | accuracy |", "|-|-|-|-|", *rows])]


def _calibration(found: Figures) -> list[str]:
    return [
        f"Fitted on {found['pairs']:,} pairs (`{found['reference']}`), of which the model orders "
        f"{100 * found['accuracy']:.1f} % as people do: (reward - {found['mean']:.6g}) / {found['temperature']:.6g}. "
        "The sigmoid of the difference of two such numbers is the probability that people prefer the first answer. "
        f"Expected calibration error {found['ece_before']:.4f} before and {found['ece_after']:.4f} after, on pairs "
        "that were not fitted."
    ]


def _limits(facts: CardFacts) -> list[str]:
    told = [
        "It knows what its training pairs could tell it: other kinds of prompts, other languages, and answers written "
        "to please it may be scored wrongly.",
        "Longer conversations are refused rather than cut, by our tools; others may cut them.",
    ]
    if facts.model["system_prompts"] and facts.to != "reward_model":
        told.append(
            "The chat template puts a system prompt in front of conversations without one; a template of another tool, "
            "or a system message of one's own, gives other rewards."
        )
    if facts.model["bias"] and facts.to == "sequence_classification":
        told.append(f"Rewards are lower by the bias, {facts.model['bias']:g}, which this form has no place for.")
    return ["\n".join(f"- {each}" for each in told)]


def _short(figure: Any) -> str:
    return f"{figure:.4g}" if isinstance(figure, float) else str(figure)
