"""Whether construction takes style out of labels, in the embedded world: prompts of noisy sets, their labels as they
came against constructed pairs, by a probe that sees style alone and by reward models on style-balanced benchmarks."""

from typing import Any

from pydantic import Field

from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.pipeline.construct_plan import plan_construction
from dt2it_ray.pipeline.drive import Made
from dt2it_ray.pipeline.measure_plan import labels_of, plan_measures
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.run_settings import PlacedSettings
from dt2it_ray.pipeline.study_run import run_study
from dt2it_ray.stages import evaluate, score, train, world
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.evaluate import EvaluateSettings
from dt2it_ray.stages.stage import Step
from dt2it_ray.stages.world import WorldSettings

RAW, CONSTRUCTED = "raw", "constructed"


class StyleStudySettings(PlacedSettings):
    """One comparison of raw with constructed pairs on the same prompts."""

    name: str = Field(default="style", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder under `root`. The same name resumes."""
    backbone: str = "tiny"
    """The checkpoint that answers and that reward models start from: `tiny` (shipped) or a folder."""
    world: WorldSettings = WorldSettings()
    """The noisy sets, of which `style_bias` has verbose answers labelled as better, and the benchmarks."""
    construction: ConstructSettings = ConstructSettings()
    train: TrainSettings = TrainSettings()
    score: ScoreSettings = ScoreSettings()
    evaluate: EvaluateSettings = EvaluateSettings()


def plan_style_study(settings: StyleStudySettings) -> tuple[Step, ...]:
    """The steps of the study, each after the steps it reads."""
    planner = Planner(settings, find_backbone(settings.backbone))
    rows = world.plan_open_sets(planner.add, settings.world)
    benchmarks = world.plan_benchmarks(planner.add, settings.world)
    raw = labels_of(planner.add, "raw/pairs", rows)
    made = plan_construction(planner.add, settings.construction, planner.backbone, rows)
    plan_measures(planner.add, settings.construction, rows, made, raw)
    _plan_model(planner, RAW, {"pairs": raw.pairs, "rows/open": rows}, benchmarks)
    answers = {"rows/construct": rows, "answers/construct": made.candidates}
    _plan_model(planner, CONSTRUCTED, {"pairs": made.pairs, **answers}, benchmarks)
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def run_style_study(settings: StyleStudySettings) -> dict[str, Any]:
    """Do what is not done yet, and return by kind of pairs: how many, the probe's figures, and benchmark accuracy.

    Raises:
        StepChanged, StageFailed, StoreError: see `run_study`.
    """
    return run_study(
        settings,
        plan_style_study(settings),
        lambda made: {kind: _figures(made, kind) for kind in (RAW, CONSTRUCTED)},
    )


def _plan_model(planner: Planner[StyleStudySettings], name: str, inputs: dict[str, Step], benchmarks: Step) -> None:
    settings = planner.settings
    fit = train.FitSettings(backbone=planner.backbone, train=settings.train)
    model = planner.add(f"{name}/train", train.TRAIN, fit, inputs)
    scores = planner.add(f"{name}/score", score.SCORE, settings.score, {"rows": benchmarks, "model": model})
    planner.add(f"{name}/evaluate", evaluate.EVALUATE, settings.evaluate, {"rows": benchmarks, "scores": scores})


def _figures(made: Made, kind: str) -> dict[str, Any]:
    accuracy = {name: told["accuracy"] for name, told in made[f"{kind}/evaluate"].metrics.items()}
    return {
        "pairs": made[f"{kind}/train"].counts.rows_in,
        "probe": made["construct/style_probe"].metrics[kind],
        "accuracy": accuracy,
        "mean_accuracy": sum(accuracy.values()) / len(accuracy),
    }


def style_table(told: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| pairs of | number | AUC of the style probe | longer answer chosen | mean benchmark accuracy |",
        "|-|-|-|-|-|",
    ]
    for kind, figures in told.items():
        probe = figures["probe"]
        cells = (kind, f"{figures['pairs']:,}", _shown(probe["probe_auc"]), _shown(probe.get("longer_wins")))
        lines.append(f"| {' | '.join(cells)} | {figures['mean_accuracy']:.3f} |")
    return "\n".join(lines)


def _shown(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"
