"""What each part of the construction adds to labels in the embedded world: the paper's ablation, on planted truth."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.construct_plan import plan_construction
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.run_settings import PlacedSettings
from dt2it_ray.pipeline.study_run import run_study
from dt2it_ray.stages import answer_facts, judge, pairs, planted_truth, world
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.stage import NoSettings, Step

LISTWISE, DIVERSE, AGREED, UNDIVERSE = "listwise", "diverse", "agreed", "agreed_alone"
VARIANTS = {
    LISTWISE: "listwise only",
    DIVERSE: "+ diversity",
    AGREED: "+ pointwise agreement",
    UNDIVERSE: "agreement without diversity",
}


class AblationSettings(PlacedSettings):
    """One ablation; `construction.pairs.agreement` and `construction.diversity.enabled` are set by the study."""

    name: str = Field(default="ablation", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder under `root`. The same name resumes."""
    backbone: str = "tiny"
    """The checkpoint that answers: `tiny` (shipped) or a folder."""
    seed: int = 0
    """Other seeds give other prompts of the same kind."""
    prompts: int = Field(default=600, ge=1)
    construction: ConstructSettings = ConstructSettings()


def plan_ablation(settings: AblationSettings) -> tuple[Step, ...]:
    """The steps of the ablation, each after the steps it reads. Candidates are sampled once."""
    planner = Planner(settings, find_backbone(settings.backbone))
    rows = world.plan_distill(planner.add, settings.seed, settings.prompts)
    asked = settings.construction
    whole = asked.model_copy(update={"diversity": asked.diversity.model_copy(update={"enabled": True})})
    made = plan_construction(planner.add, whole, planner.backbone, rows)
    step = {step.name: step for step in planner.steps}
    sampled, screen = step["construct/generate"], step["construct/screen"]
    screener = f"listwise/{asked.listwise.judges[0].name}"
    listwise = {name: judged for name, judged in made.judgements.items() if name.startswith("listwise/")}
    alone = {
        f"pointwise/{name}": planner.add(f"sampled/pointwise/{name}", judge.POINTWISE, panel.settings, judged)
        for name, panel in _pointwise(made.judgements).items()
        for judged in [{"rows": rows, "candidates": sampled}]
    }
    _plan_variant(planner, LISTWISE, rows, sampled, {screener: screen})
    _plan_variant(planner, DIVERSE, rows, made.candidates, listwise)
    _plan_variant(planner, AGREED, rows, made.candidates, made.judgements)
    _plan_variant(planner, UNDIVERSE, rows, sampled, {screener: screen, **alone})
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def run_ablation(settings: AblationSettings) -> dict[str, Any]:
    """Do what is not done yet, and return by variant how many labels are truly better, equal and worse.

    Raises:
        StepChanged, StageFailed, StoreError: see `run_study`.
    """
    return run_study(
        settings,
        plan_ablation(settings),
        lambda made: {variant: dict(made[f"{variant}/truth"].metrics) for variant in VARIANTS},
    )


def ablation_table(told: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as a Markdown table."""
    lines = ["| construction | pairs | chosen truly better | better of those that differ |", "|-|-|-|-|"]
    for variant, figures in told.items():
        pairs_made = sum(figures[truth] for truth in ("better", "equal", "worse"))
        shares = " | ".join(_shown(figures[name]) for name in ("precision", "precision_of_unequal"))
        lines.append(f"| {VARIANTS[variant]} | {pairs_made:,} | {shares} |")
    return "\n".join(lines)


def _shown(share: Mapping[str, Any]) -> str:
    told = (share[name] for name in ("value", "low", "high"))
    value, low, high = ("-" if figure is None else f"{figure:.3f}" for figure in told)
    return f"{value} ({low} to {high})"


def _pointwise(judgements: Mapping[str, Step]) -> dict[str, Step]:
    return {name.removeprefix("pointwise/"): step for name, step in judgements.items() if name.startswith("pointwise/")}


def _plan_variant(
    planner: Planner[AblationSettings], variant: str, rows: Step, candidates: Step, judgements: Mapping[str, Step]
) -> None:
    asked = planner.settings.construction
    both = any(name.startswith("pointwise/") for name in judgements)
    how = asked.pairs.model_copy(update={"agreement": "both" if both else "listwise"})
    facts = planner.add(f"{variant}/answer_facts", answer_facts.FACTS, asked.facts, {"rows": candidates})
    made = planner.add(f"{variant}/pairs", pairs.FORM_PAIRS, how, {"rows": rows, "facts": facts, **judgements})
    graded = {"rows": rows, "candidates": candidates}
    grades = planner.add(f"{variant}/grades", planted_truth.PLANTED, NoSettings(), graded)
    checked = {"pairs": made, "grades": grades}
    planner.add(f"{variant}/truth", planted_truth.LABELS_CHECKED, IntervalSettings(), checked)
