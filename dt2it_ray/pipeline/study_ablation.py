"""What each part of the construction adds to labels in the embedded world: the paper's ablation, on planted truth."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.construct_plan import plan_construction
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.run_settings import PlacedSettings
from dt2it_ray.pipeline.study_run import Worlds, run_study
from dt2it_ray.settings import Settings
from dt2it_ray.stages import answer_facts, judge, pairs, planted_truth, world
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.label_contrasts import CONTRASTED, ContrastSettings
from dt2it_ray.stages.stage import PART_ROWS, NoSettings, Stage, Step
from dt2it_ray.stages.world import AddStep

LISTWISE, DIVERSE, AGREED, UNDIVERSE = "listwise", "diverse", "agreed", "agreed_alone"
VARIANTS = {
    LISTWISE: "listwise only",
    DIVERSE: "+ diversity",
    AGREED: "+ pointwise agreement",
    UNDIVERSE: "agreement without diversity",
}
STAGES = {stage.name: stage for stage in (judge.LISTWISE, judge.POINTWISE)}
CONTRASTS_STEP = "contrasts"
CONTRASTS = ((LISTWISE, DIVERSE), (DIVERSE, AGREED), (LISTWISE, UNDIVERSE), (UNDIVERSE, AGREED))
"""What one part adds, each with and without the other."""
FIGURES = ("precision", "precision_of_unequal")


class AblationSettings(PlacedSettings):
    """One ablation; `construction.pairs.agreement` and `construction.diversity.enabled` are set by the study."""

    name: str = Field(default="ablation", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder under `root`. The same name resumes."""
    backbone: str = "tiny"
    """The checkpoint that answers: `tiny` (shipped) or a folder."""
    seeds: Worlds = (0, 1, 2, 3, 4)
    """One world each, with other prompts of the same kind, other answers and other errors of the judges."""
    prompts: int = Field(default=600, ge=1)
    """Of each world."""
    construction: ConstructSettings = ConstructSettings()
    intervals: IntervalSettings = IntervalSettings()
    """Of shares and of differences between them."""


def plan_ablation(settings: AblationSettings) -> tuple[Step, ...]:
    """The steps of the ablation, each after the steps it reads. Candidates are sampled once per world."""
    planner = Planner(settings, find_backbone(settings.backbone))
    truths = {
        f"truth/{variant}/{seed}": truth
        for seed in settings.seeds
        for variant, truth in _plan_world(planner, seed).items()
    }
    how = ContrastSettings(contrasts=CONTRASTS, intervals=settings.intervals)
    planner.add(CONTRASTS_STEP, CONTRASTED, how, truths)
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def run_ablation(settings: AblationSettings) -> dict[str, Any]:
    """Do what is not done yet, and return how many labels of each variant are truly better, and the differences.

    Raises:
        StepChanged, StageFailed, StoreError: see `run_study`.
    """
    return run_study(settings, plan_ablation(settings), lambda made: dict(made[CONTRASTS_STEP].metrics))


def ablation_table(told: Mapping[str, Any]) -> str:
    """The figures as two Markdown tables: of the variants, and of the differences between them."""
    lines = ["| construction | pairs | chosen truly better | better of those that differ |", "|-|-|-|-|"]
    for variant in VARIANTS:
        figures = told["constructions"][variant]
        pairs_made = sum(figures[truth] for truth in ("better", "equal", "worse"))
        shares = " | ".join(_shown(figures[name]) for name in FIGURES)
        lines.append(f"| {VARIANTS[variant]} | {pairs_made:,} | {shares} |")
    lines += ["", "| difference | chosen truly better | p | by world | better of those that differ | p | by world |"]
    lines.append("|-|-|-|-|-|-|-|")
    for first, second in CONTRASTS:
        found = told["contrasts"][f"{first} to {second}"]
        cells = " | ".join(_difference_shown(found[name]) for name in FIGURES)
        lines.append(f"| {VARIANTS[second]}, from {VARIANTS[first]} | {cells} |")
    return "\n".join(lines)


def _shown(share: Mapping[str, Any], form: str = ".3f") -> str:
    told = (share[name] for name in ("value", "low", "high"))
    value, low, high = ("-" if figure is None else f"{figure:{form}}" for figure in told)
    return f"{value} ({low} to {high})"


def _difference_shown(found: Mapping[str, Any]) -> str:
    worlds = [value for value in found["by_world"].values() if value is not None]
    spread = f"{min(worlds):+.3f} to {max(worlds):+.3f}" if worlds else "-"
    p_value = "-" if found["p_value"] is None else f"{found['p_value']:.3f}"
    return f"{_shown(found, '+.3f')} | {p_value} | {spread}"


def _plan_world(planner: Planner[AblationSettings], seed: int) -> dict[str, Step]:
    """Add the steps of one world; returns those that say by variant how right its labels are."""

    def add(
        name: str, stage: Stage, settings: Settings, inputs: Mapping[str, Step], part_rows: int = PART_ROWS
    ) -> Step:
        return planner.add(f"world-{seed}/{name}", stage, settings, inputs, part_rows)

    asked = planner.settings.construction
    rows = world.plan_distill(add, seed, planner.settings.prompts)
    made = plan_construction(add, _whole(asked), planner.backbone, rows)
    step = {step.name.removeprefix(f"world-{seed}/"): step for step in planner.steps}
    sampled, screen = step["construct/generate"], step["construct/screen"]
    screener = f"listwise/{asked.listwise.judges[0].name}"
    judged = {"rows": rows, "candidates": sampled}
    alone = {screener: screen} | {
        name: add(f"sampled/{name}", STAGES[name.partition("/")[0]], of_all.settings, judged)
        for name, of_all in made.judgements.items()
        if name != screener
    }
    compared = {
        LISTWISE: (sampled, _listwise(alone)),
        DIVERSE: (made.candidates, _listwise(made.judgements)),
        AGREED: (made.candidates, made.judgements),
        UNDIVERSE: (sampled, alone),
    }
    return {name: _plan_variant(add, asked, name, rows, *answers) for name, answers in compared.items()}


def _whole(asked: ConstructSettings) -> ConstructSettings:
    """The construction with both parts that the study takes away."""
    diversity = asked.diversity.model_copy(update={"enabled": True})
    both = asked.pairs.model_copy(update={"agreement": "both"})
    return asked.model_copy(update={"diversity": diversity, "pairs": both})


def _listwise(judgements: Mapping[str, Step]) -> dict[str, Step]:
    return {name: step for name, step in judgements.items() if name.startswith(f"{judge.LISTWISE.name}/")}


def _plan_variant(
    add: AddStep, asked: ConstructSettings, variant: str, rows: Step, candidates: Step, judgements: Mapping[str, Step]
) -> Step:
    both = any(name.startswith("pointwise/") for name in judgements)
    how = asked.pairs.model_copy(update={"agreement": "both" if both else "listwise"})
    facts = add(f"{variant}/answer_facts", answer_facts.FACTS, asked.facts, {"rows": candidates})
    made = add(f"{variant}/pairs", pairs.FORM_PAIRS, how, {"rows": rows, "facts": facts, **judgements})
    graded = {"rows": rows, "candidates": candidates}
    grades = add(f"{variant}/grades", planted_truth.PLANTED, NoSettings(), graded)
    checked = {"pairs": made, "grades": grades}
    return add(f"{variant}/truth", planted_truth.LABELS_CHECKED, IntervalSettings(), checked)
