"""The plan is a pure function of the settings: which steps there are, in which order, reading what."""

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.plan import plan_iteration, plan_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.stage import MapStage, Step, TrainStage

BACKBONE = Backbone(path="/anywhere", digest="0123")


def plan(**settings: object) -> dict[str, Step]:
    tree = {"name": "toy", **settings}
    return {step.name: step for step in plan_run(parse_settings(RunSettings, tree, "test"), BACKBONE)}


def test_every_step_comes_after_the_steps_it_reads_and_has_a_name_of_its_own() -> None:
    settings = RunSettings(name="toy", iterations=3)
    steps = plan_run(settings, BACKBONE)
    seen: set[str] = set()
    for step in steps:
        assert {source.name for source in step.inputs.values()} <= seen
        assert step.name not in seen
        seen.add(step.name)


def test_an_iteration_is_the_loop_of_the_paper() -> None:
    names = [step.name for step in plan_iteration(RunSettings(name="toy"), BACKBONE, 1)]
    assert names == [
        f"iter-01/{step}"
        for step in (
            "voter-1/train",
            "score-voter-0",
            "score-voter-1",
            "flips",
            "voted",
            "consistency/pairs",
            "consistency/train",
            "score-consistency",
            "doubted",
            "rejudge/rejudge-0",
            "rejudge/rejudge-1",
            "reliability",
            "decisions",
            "survivors",
            "pairs",
            "train",
            "score-benchmarks",
            "evaluate",
        )
    ]


def test_the_first_voter_is_the_model_of_the_iteration_before_and_the_others_learn_from_its_pairs() -> None:
    steps = plan(iterations=2, curate={"voters": 3})
    for iteration, before in ((1, "iter-00"), (2, "iter-01")):
        here = f"iter-{iteration:02d}"
        assert steps[f"{here}/score-voter-0"].inputs["model"].name == f"{before}/train"
        for voter in (1, 2):
            assert steps[f"{here}/voter-{voter}/train"].inputs["pairs"].name == f"{before}/pairs"
        assert set(steps[f"{here}/flips"].inputs) == {"pairs", *(f"scores/voter-{voter}" for voter in range(3))}


def test_voters_differ_by_seed_and_the_base_model_and_the_baseline_do_not() -> None:
    steps = plan()
    seeds = {name: step.settings.train.seed for name, step in steps.items() if isinstance(step.stage, TrainStage)}  # type: ignore[attr-defined]
    assert seeds["iter-01/voter-1/train"] == seeds["iter-00/train"] + 1
    assert seeds["raw_baseline/train"] == seeds["iter-00/train"] == seeds["iter-02/train"]


def test_the_baseline_trains_on_the_constructed_pairs_and_the_raw_pool() -> None:
    steps = plan()
    inputs = {step.name for step in steps["raw_baseline/pairs"].inputs.values()}
    assert inputs == {"construct/pairs", "t2i/pairs", "open/pairs"}
    assert "raw_baseline/train" not in plan(raw_baseline=False)


def test_placement_changes_no_fingerprint_and_settings_do() -> None:
    before = plan()
    moved = plan(placement={"default": {"engine": "ray", "workers": 7}}, training={"workers": 4}, root="/elsewhere")
    assert {name: step.fingerprint for name, step in moved.items()} == {
        name: step.fingerprint for name, step in before.items()
    }
    changed = plan(train={"epochs": 2})
    trained = {name for name in before if changed[name].fingerprint != before[name].fingerprint}
    assert "iter-00/train" in trained
    assert "iter-01/decisions" in trained
    assert "construct/pairs" not in trained


def test_a_step_has_the_placement_of_its_stage_or_the_default() -> None:
    steps = plan(placement={"score": {"workers": 3}, "default": {"batch_rows": 5}}, training={"workers": 2})
    assert steps["iter-01/score-voter-0"].placement.workers == 3
    assert steps["open/rows"].placement.batch_rows == 5  # type: ignore[union-attr]
    assert steps["iter-00/train"].placement.workers == 2


def test_a_judge_may_have_a_place_of_its_own() -> None:
    panel = {"listwise": {"judges": [{"name": "small"}, {"name": "big"}]}}
    where = {"listwise": {"workers": 2}, "listwise/big": {"workers": 4, "gpus": 2}, "rejudge/rejudge-1": {"workers": 3}}
    steps = plan(construction=panel, placement=where)
    names = (
        "construct/listwise/small",
        "construct/listwise/big",
        "iter-01/rejudge/rejudge-0",
        "iter-02/rejudge/rejudge-1",
    )
    assert [steps[name].placement.workers for name in names] == [2, 4, 1, 3]
    with pytest.raises(ConfigError, match="did you mean 'listwise/annotator-0'"):
        plan(placement={"listwise/annotator": {"workers": 3}})


def test_a_placement_for_a_stage_that_does_not_exist_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="no stage is called 'scores'; did you mean 'score'"):
        plan(placement={"scores": {"workers": 3}})


def test_a_root_that_workers_cannot_mount_is_refused_before_anything_is_paid_for() -> None:
    with pytest.raises(ConfigError, match=r"root=s3://bucket/runs: .*raw_baseline/train.*root=/shared/runs"):
        plan(root="s3://bucket/runs")
    for root in ("/shared/runs", "runs"):
        assert plan(root=root)


def test_every_column_that_a_map_step_reads_is_written_by_one_of_its_inputs() -> None:
    for step in plan().values():
        if isinstance(step.stage, MapStage):
            written = {
                name
                for source in step.inputs.values()
                if not isinstance(source.stage, TrainStage)
                for name in source.stage.writes.names  # type: ignore[union-attr]
            }
            assert set(step.stage.reads.names) <= written, step.name


def endpoint(model: str = "m", **engine: object) -> dict:
    told = {"kind": "endpoint", "endpoint": {"model": model, "url": engine.pop("url", "http://a/v1")}, **engine}
    return {"generate": {"engine": told}}


def test_candidates_of_a_server_depend_on_its_model_and_not_on_where_it_is_nor_on_the_backbone() -> None:
    def fingerprint(construction: dict, backbone: str) -> str:
        settings = parse_settings(RunSettings, {"name": "toy", "construction": construction}, "test")
        steps = plan_run(settings, Backbone(path="/anywhere", digest=backbone))
        return next(step.fingerprint for step in steps if step.name == "construct/generate")

    first = fingerprint(endpoint(), "0")
    assert fingerprint(endpoint(url="https://b/v1", cache="/shared/replies"), "1") == first
    assert fingerprint(endpoint("n"), "0") != first
    assert fingerprint({}, "0") != fingerprint({}, "1")


@pytest.mark.parametrize("engine", [{"kind": "endpoint"}, {"endpoint": {"model": "m"}}])
def test_a_server_and_the_choice_of_one_belong_together(engine: dict) -> None:
    with pytest.raises(ConfigError, match=r"construction\.generate\.engine: .*give both or none"):
        plan(construction={"generate": {"engine": engine}})
