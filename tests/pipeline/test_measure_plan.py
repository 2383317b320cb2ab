"""Whoever judges is measured: the steps read all of its replies, and know the model behind each judge."""

import json
from pathlib import Path
from typing import Any

from dt2it_ray.pipeline.construct_run import ConstructRunSettings, plan_construct
from dt2it_ray.stages.reliability import RELIABLE_RATINGS, RELIABLE_VOTES
from dt2it_ray.stages.stage import Step
from tests.pipeline.test_plan import plan


def engine(model: str) -> dict[str, Any]:
    return {"engine": {"kind": "endpoint", "endpoint": {"model": model, "url": "http://localhost:1"}}}


def models(step: Step) -> dict[str, str]:
    return step.settings.model_dump()["models"]


def sources(step: Step) -> dict[str, str]:
    return {name: source.name for name, source in step.inputs.items()}


def test_every_iteration_measures_its_judges_of_doubted_pairs() -> None:
    steps = plan(iterations=2)
    for here in ("iter-01", "iter-02"):
        assert steps[f"{here}/reliability"].stage is RELIABLE_VOTES
        assert sources(steps[f"{here}/reliability"]) == {
            "votes/rejudge-0": f"{here}/rejudge/rejudge-0",
            "votes/rejudge-1": f"{here}/rejudge/rejudge-1",
            "doubted": f"{here}/doubted",
            "rows": "open/rows",
            "answers": "construct/style_of_raw",
        }


def test_nothing_that_is_curated_depends_on_what_is_measured() -> None:
    steps = plan()
    measured = {name for name in steps if name.endswith("/reliability")}
    assert measured == {"construct/reliability", "iter-01/reliability", "iter-02/reliability"}
    assert not [name for name, step in steps.items() if measured & set(sources(step).values())]


def test_models_of_judges_go_to_the_steps_that_measure_them_and_the_users_word_goes_first() -> None:
    judges = {"judges": [{"name": "j", **engine("m")}, {"name": "k", **engine("n")}, {"name": "simulated"}]}
    said = {"rejudge/k": "mine", "listwise/annotator-0": "other"}
    steps = plan(curate={"rejudge": judges}, construction={"reliability": {"models": said}})
    assert models(steps["iter-01/reliability"]) == {"rejudge/j": "m", "rejudge/k": "mine"}
    assert models(steps["construct/reliability"]) == {"listwise/annotator-0": "other"}


def test_raters_are_measured_where_candidates_are_rated(tmp_path: Path) -> None:
    (tmp_path / "asked.jsonl").write_text(json.dumps({"question": "What is it?"}), encoding="utf-8")
    judge = {"judges": [{"name": "a", **engine("m")}]}
    tree = {
        "input": str(tmp_path / "asked.jsonl"),
        "output": str(tmp_path / "pairs.json"),
        "construction": {"listwise": judge, "pointwise": judge, "reliability": {"models": {"rate/s": "mine"}}},
    }
    raters = {"raters": [{"name": "r", **engine("m")}, {"name": "s", **engine("n")}]}
    steps = {step.name: step for step in plan_construct(ConstructRunSettings.model_validate(tree))}
    assert "construct/granular_reliability" not in steps
    rated = plan_construct(ConstructRunSettings.model_validate(tree | {"granular": raters}))
    step = {step.name: step for step in rated}["construct/granular_reliability"]
    assert step.stage is RELIABLE_RATINGS
    assert sources(step) == {
        "ratings/r": "construct/ratings/r",
        "ratings/s": "construct/ratings/s",
        "rows": "input/rows",
        "answers": "construct/style",
    }
    assert models(step) == {"rate/r": "m", "rate/s": "mine"}
