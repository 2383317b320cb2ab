"""What each loss gains over plain Bradley-Terry in the embedded world: on constructed pairs, and on pairs in which a
style tells the wrong answer. Each world has its own prompts, answers, errors of judges and drawn heads."""

from typing import Any

from pydantic import Field

from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.pipeline.construct_plan import plan_construction
from dt2it_ray.pipeline.drive import Made
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.run_settings import PlacedSettings
from dt2it_ray.pipeline.study_losses_arms import (
    ANNOTATED,
    ARMS,
    CRITIQUE,
    ENSEMBLE,
    MEAN_OF_MODELS,
    PLAIN,
    SHORTCUT_ARMS,
    with_change,
)
from dt2it_ray.pipeline.study_run import Worlds, run_study
from dt2it_ray.settings import Settings
from dt2it_ray.stages import critiques, evaluate, labels, mean_scores, score, shortcut_sets, train, world
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.evaluate import EvaluateSettings
from dt2it_ray.stages.score_annotated import SCORE_ANNOTATED, AnnotatedScoreSettings
from dt2it_ray.stages.shortcut_sets import ShortcutSizes
from dt2it_ray.stages.stage import PART_ROWS, NoSettings, Step
from dt2it_ray.stages.world import AddStep, BenchmarkSizes, WorldSettings

BENCHMARKS, SHORTCUT = "benchmarks", "shortcut"
MEAN = "mean"


class LossStudySettings(PlacedSettings):
    """One comparison of losses. What a loss changes is set by the study (`study_losses_arms`), the rest here."""

    name: str = Field(default="losses", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder under `root`. The same name resumes."""
    backbone: str = "tiny"
    """The checkpoint that answers and that reward models start from: `tiny` (shipped) or a folder."""
    seeds: Worlds = (0, 1, 2)
    """One world each."""
    prompts: int = Field(default=200, ge=1)
    """Of each world, whose answers become constructed pairs."""
    benchmarks: BenchmarkSizes = BenchmarkSizes()
    """Pairs of each held-out benchmark."""
    construction: ConstructSettings = ConstructSettings()
    train: TrainSettings = TrainSettings()
    """How models are fitted to constructed pairs."""
    shortcut: ShortcutSizes = ShortcutSizes()
    """The sets whose style tells the wrong answer."""
    shortcut_train: TrainSettings = TrainSettings()
    """How models are fitted to these."""
    score: ScoreSettings = ScoreSettings()
    evaluate: EvaluateSettings = EvaluateSettings()


def plan_losses(settings: LossStudySettings) -> tuple[Step, ...]:
    """The steps of the study, each after the steps it reads. A world that is added leaves the others as they are."""
    planner = Planner(settings, find_backbone(settings.backbone))
    for seed in settings.seeds:
        _plan_shortcut(planner, seed)
    for seed in settings.seeds:
        _plan_constructed(planner, seed)
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def run_losses(settings: LossStudySettings) -> dict[str, Any]:
    """Do what is not done yet, and return the accuracies of every loss by test and world, with the number of pairs.

    Raises:
        StepChanged, StageFailed, StoreError: see `run_study`.
    """
    return run_study(settings, plan_losses(settings), lambda made: _figures(settings, made))


def _plan_shortcut(planner: Planner[LossStudySettings], seed: int) -> None:
    settings, folder = planner.settings, f"world-{seed}/{SHORTCUT}"
    rows, tests = shortcut_sets.plan_shortcut_sets(planner.add, folder, seed, settings.shortcut)
    inputs = {"pairs": planner.add(f"{folder}/pairs", labels.LABELS, NoSettings(), {"rows": rows}), "rows/set": rows}
    for arm, change in SHORTCUT_ARMS.items():
        _plan_model(planner, f"{folder}/{arm}", with_change(settings.shortcut_train, change, seed), inputs, tests)


def _plan_constructed(planner: Planner[LossStudySettings], seed: int) -> None:
    settings, folder = planner.settings, f"world-{seed}/{BENCHMARKS}"
    add = _under(planner, f"world-{seed}")
    rows = world.plan_distill(add, seed, settings.prompts)
    tests = world.plan_benchmarks(add, WorldSettings(seed=seed, benchmarks=settings.benchmarks))
    made = plan_construction(add, settings.construction, planner.backbone, rows)
    inputs = {"pairs": made.pairs, "rows/construct": rows, "answers/construct": made.candidates}
    answered = {"rows": rows, "candidates": made.candidates}
    written = planner.add(f"{folder}/critiques", critiques.WRITE, critiques.CritiqueSettings(), answered)
    both = {"pairs": made.pairs, "critiques": written}
    joined = planner.add(f"{folder}/critiqued_pairs", critiques.JOIN, NoSettings(), both)
    scores = {}
    for arm, change in ARMS.items():
        learned = {**inputs, "pairs": joined} if arm == CRITIQUE else inputs
        how = with_change(settings.train, change, seed)
        scores[arm] = _plan_model(planner, f"{folder}/{arm}", how, learned, tests)
    told = AnnotatedScoreSettings(score=settings.score)
    reader = {"rows": _with_truth(tests), "model": scores[CRITIQUE].inputs["model"]}
    annotated = planner.add(f"{folder}/{ANNOTATED}/score", SCORE_ANNOTATED, told, reader)
    _plan_test(planner, reader["rows"], annotated)
    members = {f"{mean_scores.MEMBERS}{arm}": scores[arm] for arm in (PLAIN, *ENSEMBLE)}
    mean = planner.add(f"{folder}/{MEAN_OF_MODELS}/score", mean_scores.MEAN_SCORES, NoSettings(), members)
    _plan_test(planner, tests, mean)


def _with_truth(tests: Step) -> Step:
    """The pairs of held-out benchmarks before they were written in released formats, which tell no planted truth."""
    written = next(iter(tests.inputs.values()))
    return written.inputs["rows"]


def _plan_model(
    planner: Planner[LossStudySettings], name: str, how: TrainSettings, inputs: dict[str, Step], tests: Step
) -> Step:
    """Add the steps that train a model and test it; returns the one with its scores."""
    fit = train.FitSettings(backbone=planner.backbone, train=how)
    model = planner.add(f"{name}/train", train.TRAIN, fit, inputs)
    asked = {"rows": tests, "model": model}
    scores = planner.add(f"{name}/score", score.SCORE, planner.settings.score, asked)
    _plan_test(planner, tests, scores)
    return scores


def _plan_test(planner: Planner[LossStudySettings], tests: Step, scores: Step) -> None:
    """Add the step that tests a model by its scores, beside them."""
    name = f"{scores.name.removesuffix('score')}evaluate"
    planner.add(name, evaluate.EVALUATE, planner.settings.evaluate, {"rows": tests, "scores": scores})


def _under(planner: Planner[LossStudySettings], folder: str) -> AddStep:
    """What appends a step whose name begins with the folder."""

    def add(name: str, stage: Any, settings: Settings, inputs: Any, part_rows: int = PART_ROWS) -> Step:
        return planner.add(f"{folder}/{name}", stage, settings, inputs, part_rows)

    return add


def _figures(settings: LossStudySettings, made: Made) -> dict[str, Any]:
    """By kind of pairs: how many of each world, and by loss and test the accuracy in each world."""
    told: dict[str, Any] = {}
    for kind, arms in ((SHORTCUT, tuple(SHORTCUT_ARMS)), (BENCHMARKS, (*ARMS, ANNOTATED, MEAN_OF_MODELS))):
        folders = [f"world-{seed}/{kind}" for seed in settings.seeds]
        told[kind] = {
            "pairs": [made[f"{folder}/{PLAIN}/train"].counts.rows_in for folder in folders],
            "accuracy": {arm: _by_test([made[f"{folder}/{arm}/evaluate"] for folder in folders]) for arm in arms},
        }
    return told


def _by_test(worlds: list[Any]) -> dict[str, list[float]]:
    """By test, and as their mean, the accuracy in each world."""
    accuracies = [{name: told["accuracy"] for name, told in manifest.metrics.items()} for manifest in worlds]
    tests = {name: [each[name] for each in accuracies] for name in accuracies[0]}
    return tests | {MEAN: [sum(each.values()) / len(each) for each in accuracies]}
