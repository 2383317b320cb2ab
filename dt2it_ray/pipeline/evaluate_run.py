"""How models are evaluated on one benchmark: rows and rewards in, one result with every figure out."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dt2it_ray.data.formats.benchmark import BenchmarkPair
from dt2it_ray.data.formats.image_refs import image_root
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.critic_settings import CriticSettings, find_critic, reads_critiques
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.pipeline.evaluate_judge import from_judge
from dt2it_ray.pipeline.evaluate_models import ModelRewards, from_predictions, with_own_names
from dt2it_ray.pipeline.evaluate_rows import LoadedBenchmark, load_benchmark
from dt2it_ray.pipeline.evaluate_score import EvaluatePlace, from_model, named_folder
from dt2it_ray.rules.benchmark_figures import ScoredPairs, benchmark_figures
from dt2it_ray.rules.benchmarks import WITH_ACC_PLUS, category_of
from dt2it_ray.rules.paired import compare
from dt2it_ray.settings import Settings
from dt2it_ray.stages.evaluate import EvaluateSettings
from dt2it_ray.stages.judge_pairs import PairJudgeSettings
from dt2it_ray.store.files import Folder

LOST_SHOWN = 20


class EvaluateRunSettings(Settings):
    """One evaluation: which benchmark, whose rewards, and how figures are computed."""

    benchmark: str
    """Name of the benchmark; `dt2it evaluate --help` lists them."""
    rows: str
    """File of its rows, or the folder that has the released layout."""
    predictions: tuple[str, ...] = ()
    """Files of predictions, each FILE or NAME=FILE. Several are compared pair by pair."""
    models: tuple[str, ...] = ()
    """Folders of reward models, each FOLDER or NAME=FOLDER: ours, sequence classification, or a value head."""
    judge: PairJudgeSettings | None = None
    """A generative judge, which sees every pair in both orders."""
    image_root: str = ""
    """Folder or archive that the rows name images in. Empty: the folder of the rows."""
    score: ScoreSettings = ScoreSettings()
    """How reward models are read out."""
    critic: CriticSettings = CriticSettings()
    """Who writes the critiques that models read which were trained with some."""
    place: EvaluatePlace = EvaluatePlace()
    """Where models run."""
    figures: EvaluateSettings = EvaluateSettings()
    """Intervals."""


@dataclass(frozen=True)
class Evaluated:
    """One benchmark with what every model said of its rows, and the figures that follow."""

    loaded: LoadedBenchmark
    models: Sequence[ModelRewards]
    result: dict[str, Any]


def evaluate_benchmark(settings: EvaluateRunSettings) -> Evaluated:
    """The figures of the first model; of several, all under `models`, and `comparisons` of every two.

    Raises:
        ConfigError: there is no such benchmark, or nothing to evaluate. InputError: rows or predictions do not fit.
        StoreError: a model cannot be read.
    """
    if not (settings.predictions or settings.models or settings.judge):
        raise ConfigError(
            "there is nothing to evaluate: give --predictions FILE, --model FOLDER, or a config with a judge"
        )
    critics = _critics(settings)
    images = bool(settings.models or settings.judge)
    loaded = load_benchmark(settings.benchmark, settings.rows, images)
    if settings.image_root:
        loaded = replace(loaded, image_folder=image_root(settings.image_root, Folder))
    models = with_own_names(
        [
            *(from_predictions(loaded, named) for named in settings.predictions),
            *(from_model(loaded, named, settings.score, settings.place, critics[named]) for named in settings.models),
            *([from_judge(loaded, settings.judge, settings.place)] if settings.judge else []),
        ]
    )
    told = {model.name: model_figures(loaded, model, settings.figures) for model in models}
    result = {"benchmark": settings.benchmark, "rows": loaded.told(), **told[models[0].name]}
    if len(models) > 1:
        result |= {"models": told, "comparisons": _comparisons(loaded, models, settings.figures)}
    return Evaluated(loaded, models, result)


def _critics(settings: EvaluateRunSettings) -> dict[str, CriticSettings]:
    """Who writes critiques for each model: those that read none need nobody.

    Raises:
        ConfigError: somebody is named, and no model reads critiques.
    """
    folders = {named: named_folder(named)[1] for named in settings.models}
    critic = find_critic(settings.critic, folders.values())
    return {named: critic if reads_critiques(folder) else CriticSettings() for named, folder in folders.items()}


def model_figures(loaded: LoadedBenchmark, model: ModelRewards, how: EvaluateSettings) -> dict[str, Any]:
    """The figures of one model over the rows that can be used. Rows that people call a tie are counted apart."""
    scored = scored_pairs(loaded, model)
    figures = benchmark_figures(loaded.format.name, scored, how.resampling(), model.margins)
    ties = _label_ties(loaded, model, figures)
    return {"model": model.name, "kind": model.kind, **model.told, **figures, **ties, "lost": _lost(loaded, model)}


def _lost(loaded: LoadedBenchmark, model: ModelRewards) -> dict[str, Any]:
    """Why a model has no rewards for rows, counted by reason, with the first of them in full."""
    reasons = Counter(why.partition(":")[0] for why in model.lost.values())
    first = [f"{loaded.rows[place].where}: {why}" for place, why in sorted(model.lost.items())[:LOST_SHOWN]]
    return {"n": len(model.lost), "reasons": dict(sorted(reasons.items())), "first": first}


def scored_pairs(loaded: LoadedBenchmark, model: ModelRewards) -> ScoredPairs:
    """The pairs whose label is no tie, with the model's rewards."""
    kept = [
        (row, pair, rewards or (None, None))
        for row, pair, rewards in zip(loaded.rows, loaded.pairs, model.rewards, strict=True)
        if pair is not None and pair.chosen is not None
    ]
    strengths = [pair.strength for _, pair, _ in kept]
    return ScoredPairs(
        names=[f"{row.where} (id {pair.item})" for row, pair, _ in kept],
        categories=[category_of(loaded.format.name, pair.item, pair.category) for _, pair, _ in kept],
        groups=[pair.item for _, pair, _ in kept],
        chosen=[rewards[0] for _, _, rewards in kept],
        rejected=[rewards[1] for _, _, rewards in kept],
        lengths=np.array([_lengths(pair) for _, pair, _ in kept], np.int64).reshape(-1, 2),
        strengths=strengths if any(strength is not None for strength in strengths) else (),
    )


def _lengths(pair: BenchmarkPair) -> tuple[int, int]:
    place = pair.chosen or 0
    return len(pair.answers[place]), len(pair.answers[1 - place])


def _label_ties(loaded: LoadedBenchmark, model: ModelRewards, figures: dict[str, Any]) -> dict[str, Any]:
    """Rows that people call a tie: how many, and how many of them the model ties at full precision."""
    ties = [
        rewards
        for pair, rewards in zip(loaded.pairs, model.rewards, strict=True)
        if pair is not None and pair.chosen is None
    ]
    if not ties:
        return {}
    called = sum(rewards is not None and rewards[0] == rewards[1] for rewards in ties)
    with_ties = (figures["correct"] + called) / (figures["n"] + len(ties))
    return {"label_ties": {"n": len(ties), "correct": called}, "accuracy_with_ties": with_ties}


def _comparisons(
    loaded: LoadedBenchmark, models: Sequence[ModelRewards], how: EvaluateSettings
) -> list[dict[str, Any]]:
    told = []
    for first, second in itertools.combinations(models, 2):
        pairs = [scored_pairs(loaded, model) for model in (first, second)]
        groups = pairs[0].groups if loaded.format.name in WITH_ACC_PLUS else None
        credits = [each.credits() for each in pairs]
        found = compare(credits[0], credits[1], groups, how.seed, how.level, how.samples)
        told.append({"first": first.name, "second": second.name, **(vars(found) if found else {})})
    return told
