"""Which losses the study of losses compares: what each changes of a training, and how the figures are shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.stages.shortcut_sets import IN_DISTRIBUTION, REVERSED, UNCORRELATED

PLAIN = "plain"
Change = Mapping[str, Any]
"""Settings of a training by group, laid over those of the study."""

FAST, CRITIQUE = "fast", "critique"
WRITING: Change = {"learning_rate": 1e-3, "epochs": 8}
"""What the tiny model needs to learn to write; a plain model is trained so, too, for comparison."""
ANNOTATED = "annotated"
"""The model that learned critiques, with the simulated annotator's in the tests in place of its own."""
MEAN_OF_MODELS = "ensemble"
"""The mean of the plain model's and further members' rewards."""
ENSEMBLE = {"member-1": {"seed": 1_000_003}, "member-2": {"seed": 2_000_003}}
"""Further members of the ensemble: what is added to the seed that draws the head and the order of pairs."""
ARMS: Mapping[str, Change] = {
    PLAIN: {},
    "margin": {"loss": {"margin_scale": 0.25}},
    "soft": {"loss": {"soft_temperature": 1.0}},
    "silu": {"model": {"head": "silu"}},
    "kwise": {"loss": {"kwise": True}},
    "contrastive": {"loss": {"contrastive": {"weight": 1.0}}},
    FAST: WRITING,
    CRITIQUE: {**WRITING, "loss": {"critique": {"enabled": True}}},
    **ENSEMBLE,
}
"""On constructed pairs, whose strengths are gaps of the judges' overalls (0 to 10)."""
SHORTCUT_ARMS: Mapping[str, Change] = {
    PLAIN: {},
    "sfc": {"loss": {"shortcut": {"enabled": True}}},
}
"""On pairs in which a style tells the wrong answer."""
TITLES = {
    PLAIN: "plain Bradley-Terry",
    "margin": "+ margin, 0.25 x strength",
    "soft": "+ soft labels, temperature 1",
    "silu": "SiLU head",
    "kwise": "K-wise",
    MEAN_OF_MODELS: "ensemble of three",
    "sfc": "SFC",
    "contrastive": "+ contrastive, one other image",
    FAST: "plain, eight epochs at 1e-3",
    CRITIQUE: "critiques, eight epochs at 1e-3, its own in the tests",
    ANNOTATED: "the same model, the simulated annotator's in the tests",
}


def with_change(train: TrainSettings, change: Change, seed: int) -> TrainSettings:
    """The settings of a training with a change laid over them, for the world of a seed."""
    tree = train.model_dump()
    for group, values in change.items():
        tree[group] = _laid_over(tree[group], values) if isinstance(values, Mapping) else values
    tree["seed"] = train.seed + seed + change.get("seed", 0)
    return TrainSettings.model_validate(tree)


def losses_table(told: Mapping[str, Any]) -> str:
    """The figures as two Markdown tables: shortcut sets, and benchmarks."""
    shortcut, benchmarks = told["shortcut"], told["benchmarks"]
    tests = (IN_DISTRIBUTION, UNCORRELATED, REVERSED)
    lines = _lines(f"pairs with a shortcut ({_counted(shortcut['pairs'])})", shortcut["accuracy"], tests)
    lines += ["", *_lines(f"constructed pairs ({_counted(benchmarks['pairs'])})", benchmarks["accuracy"], ("mean",))]
    return "\n".join(lines)


def _laid_over(tree: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    nested = {
        name: _laid_over(tree[name], value) if isinstance(value, Mapping) else value for name, value in values.items()
    }
    return {**tree, **nested}


def _lines(title: str, accuracy: Mapping[str, Mapping[str, Sequence[float]]], tests: Sequence[str]) -> list[str]:
    """One row per loss: by test the mean over worlds with the spread, and the difference from plain, world by world."""
    heads = [f"{name.replace('_', ' ')} | from plain" for name in tests]
    lines = [f"| {title} | {' | '.join(heads)} |", "|-" * (1 + 2 * len(tests)) + "|"]
    for arm in (arm for arm in accuracy if arm in TITLES):
        cells = [_cells(accuracy[arm][name], accuracy[PLAIN][name], arm == PLAIN) for name in tests]
        lines.append(f"| {TITLES[arm]} | {' | '.join(cells)} |")
    return lines


def _cells(values: Sequence[float], plain: Sequence[float], is_plain: bool) -> str:
    gains = [100 * (value - base) for value, base in zip(values, plain, strict=True)]
    gain = "" if is_plain else f"{_mean(gains):+.1f} ({min(gains):+.1f} to {max(gains):+.1f})"
    return f"{_mean(values):.3f} ({min(values):.3f} to {max(values):.3f}) | {gain}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _counted(pairs: Sequence[int]) -> str:
    return " / ".join(f"{number:,}" for number in pairs)
