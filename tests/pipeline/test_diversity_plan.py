"""With diversity enhancement only what is new is judged again, and all later steps read the enlarged sets."""

from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.plan import plan_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.diversify import AdditionSettings
from dt2it_ray.stages.stage import Step

BACKBONE = Backbone(path="/anywhere", digest="0123")
PANEL = {"judges": [{"name": "a"}, {"name": "b"}]}


def plan(**construction: object) -> dict[str, Step]:
    settings = parse_settings(RunSettings, {"name": "toy", "construction": construction}, "test")
    return {step.name: step for step in plan_run(settings, BACKBONE) if step.name.startswith("construct/")}


def inputs(step: Step) -> dict[str, str]:
    return {name: source.name for name, source in step.inputs.items()}


def test_by_default_nothing_is_screened() -> None:
    steps = plan(listwise=PANEL)
    assert "construct/screen" not in steps
    assert inputs(steps["construct/listwise/a"])["candidates"] == "construct/generate"
    assert steps["construct/generate"].settings.fewest == 2  # type: ignore[attr-defined]


def test_the_first_judge_screens_and_judges_only_enlarged_sets_again() -> None:
    steps = plan(listwise=PANEL, diversity={"enabled": True})
    assert steps["construct/generate"].settings.fewest == 1  # type: ignore[attr-defined]
    assert inputs(steps["construct/screen"])["candidates"] == "construct/generate"
    again = steps["construct/judge-enlarged"]
    assert (again.settings, inputs(again)["enlarged"]) == (steps["construct/screen"].settings, "construct/enlarged")
    first = inputs(steps["construct/listwise/a"])
    assert (first["screen"], first["judged"]) == ("construct/screen", "construct/judge-enlarged")
    for name in ("listwise/b", "pointwise/annotator-0"):
        assert inputs(steps[f"construct/{name}"])["candidates"] == "construct/diversify"
    assert inputs(steps["construct/answer_facts"]) == {"rows": "construct/diversify"}
    assert {"listwise/a", "listwise/b", "pointwise/annotator-0"} < set(steps["construct/pairs"].inputs)


def test_contradictions_are_written_by_the_model_that_is_sampled_unless_another_is_named() -> None:
    settings = plan(diversity={"enabled": True})["construct/diversify"].settings
    assert isinstance(settings, AdditionSettings)
    assert settings.engine is not None
    assert settings.engine.backbone == BACKBONE
    server = {"kind": "endpoint", "endpoint": {"model": "big"}}
    named = plan(diversity={"enabled": True, "add": {"engine": server, "better_engine": server}})
    settings = named["construct/diversify"].settings
    assert isinstance(settings, AdditionSettings)
    for engine in (settings.engine, settings.better_engine):
        assert engine is not None
        assert (engine.kind, engine.backbone) == ("endpoint", None)


def test_listwise_agreement_asks_no_pointwise_judge() -> None:
    steps = plan(pairs={"agreement": "listwise"})
    assert not [name for name in steps if "pointwise" in name]
    assert not [name for name in steps["construct/pairs"].inputs if name.startswith("pointwise")]
