"""What a run came to, in figures: the content of summary.json, which outside checks rely on."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

from dt2it_ray.models.backbones import TINY
from dt2it_ray.pipeline.run_record import curating_iterations
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.pipeline.usage import usage_of
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest

EVALUATE = "/evaluate"
CLOCK_TICK_S = 0.001
"""Manifests round seconds to this; a faster step counts as one tick."""

JUDGED = "judges"
"""Stands for the steps of all panels."""
PLANTED = "open/planted"
ADAPTED = "backbone/adapt"
SIMULATED = {
    "open/pairs": (
        "open data sets",
        "The noisy pool stands in for open preference data: rendered scenes with known content, whose wrong labels and "
        "biases were planted on purpose, so that repairs can be counted.",
    ),
    "distill/rows": (
        "construction prompts",
        "The prompts for which pairs are constructed are rendered scenes with known content too, and their questions "
        "are written from templates. The answers are sampled from the model.",
    ),
    "t2i/sides": (
        "text-to-image preferences",
        "The text-to-image preferences are rendered scenes too: no image generator, no person was asked.",
    ),
    PLANTED: (
        "label flips",
        "Part of the labels of the noisy pool were turned round on purpose, so that repairs can be counted.",
    ),
    JUDGED: (
        "judges",
        "Judges without an engine are simulated annotators: they read the planted scene instead of the image, with a "
        "set error rate, position bias and share of malformed replies. What happens to their replies is real.",
    ),
    "iter-00/evaluate": (
        "benchmarks",
        "The benchmarks are held-out scenes in the file formats of the public benchmarks whose names they bear: their "
        "figures measure this method on this world and compare with no published figure.",
    ),
}
"""What stands in for the real thing, by a step of each part: its name, and a sentence about it."""
SMALL = (
    "Not simulated, but small: reward models are trained from{and_sampled} a Qwen3-VL of a few million parameters that "
    "learnt from rendered scenes{adapted}."
)


def summarise(
    run: Folder, settings: RunSettings, manifests: Mapping[str, Manifest], wall_s: float, peak_rss_mib: float
) -> dict[str, Any]:
    """The summary of a run as plain JSON values. What a run does not have (iterations, a baseline) is empty or null."""
    iterations = curating_iterations(manifests)
    return {
        "wall_s": round(wall_s, 3),
        "peak_rss_mib": round(peak_rss_mib, 1),
        "rows": {step: manifest.counts.rows_out for step, manifest in manifests.items()},
        "rows_per_s": {step: rows_per_s(manifest) for step, manifest in manifests.items()},
        "benchmarks": _benchmarks(manifests),
        "engines": usage_of(manifests.values()),
        "planted": _planted(iterations, manifests),
        "t2i": _t2i(run, manifests.get("t2i/sides")),
        "decisions": {name: _decisions(run, manifests[f"{name}/decisions"]) for name in iterations},
        "simulated": _sentences(settings, manifests),
        "simulated_parts": [name for step, (name, _) in SIMULATED.items() if _is_simulated(step, settings, manifests)],
    }


def busy_s(manifests: Iterable[Manifest]) -> float:
    """Seconds in which at least one of these steps ran."""
    seconds, until = 0.0, 0.0
    times = [(made.provenance["finished_at"], made.provenance["wall_s"]) for made in manifests]
    for began, ended in sorted((finished_at - wall_s, finished_at) for finished_at, wall_s in times):
        seconds += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return seconds


def rows_read(manifest: Manifest) -> int:
    """Rows that a step's last call read, those without a partner included."""
    return manifest.counts.rows_in + manifest.counts.skipped - manifest.provenance["rows_before"]


def rows_per_s(manifest: Manifest) -> float:
    """Rows that a step's last call read in each second of its wall time."""
    return round(rows_read(manifest) / max(manifest.provenance["wall_s"], CLOCK_TICK_S), 3)


def _benchmarks(manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    figures = {}
    for step, manifest in manifests.items():
        if step.endswith(EVALUATE):
            told = {name: _defined(measured) for name, measured in manifest.metrics.items()}
            means = {"mean_accuracy": _mean(told.values()), "pooled_accuracy": _pooled(told.values())}
            figures[step.removesuffix(EVALUATE)] = told | means
    return figures


def _defined(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if value is not None}


def _mean(benchmarks: Iterable[Mapping[str, Any]]) -> float | None:
    accuracies = [figures["accuracy"] for figures in benchmarks if "accuracy" in figures]
    return sum(accuracies) / len(accuracies) if accuracies else None


def _pooled(benchmarks: Iterable[Mapping[str, Any]]) -> float | None:
    """Accuracy over the pairs of all benchmarks together."""
    counted = [(figures["correct"], figures["n"]) for figures in benchmarks if figures.get("n")]
    return sum(right for right, _ in counted) / sum(pairs for _, pairs in counted) if counted else None


def _planted(iterations: list[str], manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    told = {name: manifests[f"{name}/decisions"].metrics.get("planted") or {} for name in iterations}
    last = told[iterations[-1]] if iterations else {}
    return {"recall": last.get("recall"), "precision": last.get("precision"), "by_iteration": told}


def _t2i(run: Folder, sides: Manifest | None) -> dict[str, Any]:
    if sides is None:
        return {"chosen_first": 0, "rows": 0, "by_source": {}}
    table = read_rows(run, sides, ["source", "chosen_first"])
    groups = table.group_by("source").aggregate([("chosen_first", "sum"), ("chosen_first", "count")])
    by_source = {
        row["source"]: {"chosen_first": row["chosen_first_sum"] or 0, "rows": row["chosen_first_count"]}
        for row in sorted(groups.to_pylist(), key=lambda row: row["source"])
    }
    total = {name: sum(counted[name] for counted in by_source.values()) for name in ("chosen_first", "rows")}
    return {**total, "by_source": by_source}


def _decisions(run: Folder, decisions: Manifest) -> dict[str, dict[str, int]]:
    """How many pairs each rule kept, flipped and dropped."""
    table = read_rows(run, decisions, ["action", "rule"])
    counts: dict[str, collections.Counter[str]] = {
        name: collections.Counter() for name in ("kept", "flipped", "dropped")
    }
    for row in table.group_by(["action", "rule"]).aggregate([([], "count_all")]).to_pylist():
        counts[row["action"]][row["rule"]] += row["count_all"]
    return {action: dict(sorted(rules.items())) for action, rules in counts.items()}


def _is_simulated(step: str, settings: RunSettings, manifests: Mapping[str, Manifest]) -> bool:
    """Whether the run has this part of `SIMULATED`; of data of one's own, only flips planted in it can be."""
    if step == JUDGED:
        return _has_simulated_judge(settings, manifests)
    return step in manifests and (settings.outside is None or step == PLANTED)


def _has_simulated_judge(settings: RunSettings, manifests: Mapping[str, Manifest]) -> bool:
    """Whether a judge without an engine judged candidates or doubted pairs."""
    panels = {
        "listwise": settings.construction.listwise.judges,
        "pointwise": settings.construction.pointwise.judges,
        "rejudge": settings.curate.rejudge.judges,
    }
    simulated = [f"/{mode}/{judge.name}" for mode, panel in panels.items() for judge in panel if judge.engine is None]
    return any(step.endswith(name) for step in manifests for name in simulated)


def _sentences(settings: RunSettings, manifests: Mapping[str, Manifest]) -> list[str]:
    """Sentences that name what stands in for the real thing, for the parts that this run has."""
    told = [sentence for step, (_, sentence) in SIMULATED.items() if _is_simulated(step, settings, manifests)]
    if settings.backbone != TINY or "iter-00/train" not in manifests:
        return told
    sampled = settings.construction.generate.engine.kind == "transformers"
    adapted = " and was then fine-tuned on right answers from the data at hand" if ADAPTED in manifests else ""
    return [*told, SMALL.format(and_sampled=", and candidates sampled by," if sampled else "", adapted=adapted)]
