"""Which steps a run has and what each one reads: a pure function of the settings, so that a plan can be shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.construct_plan import plan_construction, with_backbone
from dt2it_ray.pipeline.job_folder import refuse_lost_files
from dt2it_ray.pipeline.measure_plan import labels_of, plan_measure_of_voters, plan_measures
from dt2it_ray.pipeline.outside_plan import Pool, plan_outside
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.stages import curate, evaluate, labels, rejudge, score, t2i, train, world
from dt2it_ray.stages.stage import NoSettings, Step

RAW = "raw_baseline"


@dataclass(frozen=True)
class Base:
    """What every iteration builds on: the trusted pairs with their rows, the noisy pool and the benchmarks."""

    rows: Mapping[str, Step]
    """Prompts, and answers sampled for them, by the input names of a train step."""
    trusted: Mapping[str, Step]
    """Pairs that are never curated, by the input names of a merge step."""
    pool: Pool | None
    """The noisy pairs; None where nothing is curated."""
    benchmarks: Step
    backbone: Step | None = None
    """The adapted backbone; None where reward models start from the checkpoint as it is."""


def iteration_name(iteration: int) -> str:
    """The folder of an iteration's steps, and the name of its reward model."""
    return f"iter-{iteration:02d}"


def plan_run(settings: RunSettings, backbone: Backbone) -> tuple[Step, ...]:
    """All steps of a run, each after the steps it reads."""
    # Also told by `refuse_misplaced`, but only after a relative input was looked for in vain.
    refuse_lost_files(settings)
    iterations = range(settings.iterations + 1)
    steps = tuple(step for iteration in iterations for step in plan_iteration(settings, backbone, iteration))
    refuse_misplaced(settings, steps)
    return steps


def plan_iteration(settings: RunSettings, backbone: Backbone, iteration: int) -> tuple[Step, ...]:
    """The steps of one iteration; iteration 0 makes the trusted pairs, the base model and the raw-data baseline."""
    planner = Planner(settings, backbone)
    base = _plan_base(planner)
    model = _plan_start(planner, base)
    for current in range(1, iteration + 1):
        planner.steps.clear()
        model = _plan_curation(planner, base, model, current)
    return tuple(planner.steps)


def _plan_base(planner: Planner[RunSettings]) -> Base:
    return _plan_world_base(planner) if planner.settings.outside is None else _plan_outside_base(planner)


def _plan_outside_base(planner: Planner[RunSettings]) -> Base:
    assert planner.settings.outside is not None
    made = plan_outside(planner.add, planner.settings.outside, planner.settings.construction.style, planner.backbone)
    rows = {"rows/trusted": made.trusted.rows}
    return Base(
        rows=rows if made.pool is None else {**rows, "rows/open": made.pool.rows},
        trusted={"pairs/trusted": made.trusted.pairs},
        pool=made.pool,
        benchmarks=made.benchmarks,
        backbone=made.backbone,
    )


def _plan_world_base(planner: Planner[RunSettings]) -> Base:
    settings = planner.settings
    made = world.plan_world(planner.add, settings.world)
    constructed = plan_construction(planner.add, settings.construction, planner.backbone, made.distill)
    pool = labels_of(planner.add, "open/pairs", made.open)
    features = plan_measures(planner.add, settings.construction, made.distill, constructed, pool)
    sound = planner.add("t2i/sound", t2i.CHECK, NoSettings(), {"rows": made.t2i})
    sides = planner.add("t2i/sides", t2i.ASSIGN_SIDES, settings.t2i, {"rows": sound})
    t2i_rows = planner.add("t2i/prompts", t2i.REFORMULATE, NoSettings(), {"rows": made.t2i, "sides": sides})
    return Base(
        rows={
            "rows/construct": made.distill,
            "answers/construct": constructed.candidates,
            "rows/t2i": t2i_rows,
            "rows/open": made.open,
        },
        trusted={
            "pairs/construct": constructed.pairs,
            "pairs/t2i": planner.add("t2i/pairs", labels.LABELS, NoSettings(), {"rows": t2i_rows}),
        },
        pool=Pool(pool.rows, pool.pairs, features.raw),
        benchmarks=made.benchmarks,
    )


def _plan_start(planner: Planner[RunSettings], base: Base) -> Step:
    if planner.settings.raw_baseline and base.pool:
        raw = _plan_merge(planner, f"{RAW}/pairs", base, {"pairs/open": base.pool.pairs})
        _plan_model(planner, RAW, base, raw, seed=0)
    trusted = _plan_merge(planner, f"{iteration_name(0)}/pairs", base, {})
    return _plan_model(planner, iteration_name(0), base, trusted, seed=0)


def _plan_curation(planner: Planner[RunSettings], base: Base, before: Step, iteration: int) -> Step:
    """Vote and flip, train the consistency model, re-judge what it doubts, merge, retrain (METHOD of the paper)."""
    settings, here, pool = planner.settings.curate, iteration_name(iteration), base.pool
    assert pool is not None
    voters = [before]
    for voter in range(1, settings.voters):
        voters.append(_plan_train(planner, f"{here}/voter-{voter}", base, before.inputs["pairs"], seed=voter))
    scores = {
        f"scores/voter-{voter}": _plan_score(planner, f"{here}/score-voter-{voter}", pool.rows, model)
        for voter, model in enumerate(voters)
    }
    flips = planner.add(f"{here}/flips", curate.FLIP, settings.flip, {"pairs": pool.pairs, **scores})
    voted = planner.add(f"{here}/voted", curate.TAKE_VOTED, NoSettings(), {"flips": flips})
    step_1 = _plan_merge(planner, f"{here}/consistency/pairs", base, {"pairs/open": voted})
    checker = _plan_train(planner, f"{here}/consistency", base, step_1, seed=0)
    check = _plan_score(planner, f"{here}/score-consistency", pool.rows, checker)
    doubted = planner.add(f"{here}/doubted", curate.SELECT_DOUBTED, NoSettings(), {"flips": flips, "scores": check})
    put = {"rows": pool.rows, "doubted": doubted}
    votes = _plan_votes(planner, here, put)
    measured = {**put, "answers": pool.features}
    if votes:
        plan_measure_of_voters(planner.add, planner.settings.construction.reliability, here, votes, measured)
    decisions = planner.add(
        f"{here}/decisions", curate.DECIDE, _required_votes(settings), {"flips": flips, "scores": check, **votes}
    )
    survivors = planner.add(f"{here}/survivors", curate.SURVIVE, NoSettings(), {"decisions": decisions})
    merged = _plan_merge(planner, f"{here}/pairs", base, {"pairs/open": survivors})
    return _plan_model(planner, here, base, merged, seed=0)


def _plan_votes(planner: Planner[RunSettings], here: str, doubted: Mapping[str, Step]) -> dict[str, Step]:
    """One step per judge of doubted pairs, by the input names of the decision."""
    judges = [with_backbone(judge, planner.backbone) for judge in planner.settings.curate.rejudge.judges]
    return {
        f"votes/{judge.name}": planner.add(f"{here}/rejudge/{judge.name}", rejudge.REJUDGE, judge, doubted)
        for judge in judges
    }


def _required_votes(settings: curate.CurateSettings) -> curate.DecideSettings:
    """How votes settle a pair, with the number of votes that all judges in both orders give, unless set otherwise.

    Raises:
        ConfigError: more votes are required than there can be, which would drop every doubted pair.
    """
    judges = len(settings.rejudge.judges)
    most = 2 * judges
    required = settings.decide.required_votes or most
    if not judges:
        # Nobody settles what the checking model doubts, so that it is dropped.
        return settings.decide.model_copy(update={"required_votes": 1})
    if required > most:
        raise ConfigError(f"curate.decide.required_votes={required}: {judges} judges give {most} votes")
    return settings.decide.model_copy(update={"required_votes": required})


def _plan_merge(planner: Planner[RunSettings], name: str, base: Base, noisy: Mapping[str, Step]) -> Step:
    return planner.add(name, curate.MERGE, NoSettings(), {**base.trusted, **noisy})


def _plan_train(planner: Planner[RunSettings], model: str, base: Base, pairs: Step, seed: int) -> Step:
    how = planner.settings.train
    settings = train.FitSettings(backbone=planner.backbone, train=how.model_copy(update={"seed": how.seed + seed}))
    sources = {name.removeprefix("pairs/") for name in pairs.inputs}
    rows = {name: step for name, step in base.rows.items() if name.partition("/")[2] in sources}
    adapted = {} if base.backbone is None else {"backbone": base.backbone}
    return planner.add(f"{model}/train", train.TRAIN, settings, {"pairs": pairs, **rows, **adapted})


def _plan_score(planner: Planner[RunSettings], name: str, rows: Step, model: Step) -> Step:
    return planner.add(name, score.SCORE, planner.settings.score, {"rows": rows, "model": model})


def _plan_model(planner: Planner[RunSettings], model: str, base: Base, pairs: Step, seed: int) -> Step:
    """Train a model and measure it on the benchmarks."""
    trained = _plan_train(planner, model, base, pairs, seed)
    scores = _plan_score(planner, f"{model}/score-benchmarks", base.benchmarks, trained)
    planner.add(
        f"{model}/evaluate",
        evaluate.EVALUATE,
        planner.settings.evaluate,
        {"rows": base.benchmarks, "scores": scores},
    )
    return trained
