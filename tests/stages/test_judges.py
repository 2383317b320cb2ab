"""Panels of judges, their engines, and what a judging step takes and lets go."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.pipeline.plan import plan_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.rules.judge_reply import Reply
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.ask import READS
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.judge import build_judging
from dt2it_ray.stages.judges import JudgeSettings, JudgingSettings, open_judge, rubric_parser
from dt2it_ray.stages.stage import Step, Workplace
from tests.models.endpoint.server import chat_server
from tests.rules.injections import rubric
from tests.stages.rows import prompt_row

BATCH = pa.Table.from_pylist([prompt_row("p", ("a", "b"))], schema=READS)


def plan(**settings: Any) -> dict[str, Step]:
    tree = {"name": "toy", **settings}
    steps = plan_run(parse_settings(RunSettings, tree, "test"), Backbone(path="/anywhere", digest="0123"))
    return {step.name: step for step in steps}


def judge(**fields: Any) -> JudgingSettings:
    return JudgingSettings.model_validate({"judge": fields})


def test_each_judge_has_a_step_of_its_own_and_the_pairs_read_them_all() -> None:
    listwise = {"judges": [{"name": "a"}, {"name": "b", "attempts": 5}], "orders": 2}
    steps = plan(construction={"listwise": listwise, "pointwise": {"judges": [{"name": "c"}]}})
    judging = [steps[f"construct/listwise/{name}"].settings for name in "ab"]
    assert judging == [
        JudgingSettings(judge=JudgeSettings(name="a"), orders=2),
        JudgingSettings(judge=JudgeSettings(name="b", attempts=5), orders=2),
    ]
    others = {"rows", "facts"}
    assert set(steps["construct/pairs"].inputs) == {"listwise/a", "listwise/b", "pointwise/c", *others}


def test_every_judge_of_doubted_pairs_has_votes_and_two_orders_each_are_required() -> None:
    steps = plan(curate={"rejudge": {"judges": [{"name": name} for name in "abc"]}})
    decisions = steps["iter-01/decisions"]
    assert {name for name in decisions.inputs if name.startswith("votes/")} == {"votes/a", "votes/b", "votes/c"}
    assert decisions.settings.required_votes == 6  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="required_votes=5: 2 judges give 4 votes"):
        plan(curate={"decide": {"required_votes": 5}})


def test_a_change_of_one_judge_leaves_the_others_as_they_are() -> None:
    before, after = (
        plan(construction={"listwise": {"judges": [{"name": "a"}, {"name": "b", "attempts": attempts}]}})
        for attempts in (3, 4)
    )
    changed = {name for name in before if before[name].fingerprint != after[name].fingerprint}
    assert {name for name in changed if "wise/" in name} == {"construct/listwise/b"}
    assert "construct/pairs" in changed


@pytest.mark.parametrize("panel", ["construction.listwise", "construction.pointwise", "curate.rejudge"])
def test_chat_models_judge_anywhere_with_the_runs_backbone(panel: str) -> None:
    group, _, stage = panel.partition(".")
    judges = {"judges": [{"name": "chat", "engine": {"kind": "transformers"}}]}
    steps = plan(**{group: {stage: judges}})
    [settings] = {step.settings.model_dump_json() for name, step in steps.items() if name.endswith(f"{stage}/chat")}
    assert '"path":"/anywhere"' in settings or '"digest":"0123"' in settings


SERVER = {"kind": "endpoint", "endpoint": {"model": "m"}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"engine": SERVER, "annotator": {"error_rate": 0.5}},
            "annotator does nothing for an engine of kind: endpoint",
        ),
        ({"engine": SERVER, "collate": {"max_length": 99}}, "collate does nothing for an engine of kind: endpoint"),
        ({"temperature": 0.5}, "temperature does nothing for a simulated annotator"),
        ({"max_new_tokens": 99}, "max_new_tokens does nothing for a simulated annotator"),
        ({"collate": {"max_length": 99}}, "collate does nothing for a simulated annotator"),
    ],
)
def test_settings_that_whoever_judges_does_not_heed_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan(construction={"listwise": {"judges": [fields]}})
    heeded = {"engine": {"kind": "vllm"}, "collate": {"max_length": 99}, "temperature": 0.5, "max_new_tokens": 99}
    assert plan(construction={"listwise": {"judges": [heeded]}})
    assert plan(construction={"listwise": {"judges": [{"annotator": {"error_rate": 0.5}}]}})


def test_a_precision_that_the_engine_of_candidates_does_not_heed_is_refused() -> None:
    sampling = {"sampling": {"dtype": "float32"}}
    with pytest.raises(ConfigError, match=r"construction\.generate.*sampling\.dtype does nothing for kind: vllm"):
        plan(construction={"generate": {"engine": {"kind": "vllm"}, **sampling}})
    added = {"enabled": True, "add": {"worse": ["colour"], "better_engine": SERVER, **sampling}}
    with pytest.raises(ConfigError, match=r"diversity\.add.*sampling\.dtype does nothing for kind: endpoint"):
        plan(construction={"diversity": added})


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "b", "A"], "several judges are called 'a'"),
        (["../a"], "should match pattern"),
        (["a/b"], "should match pattern"),
        ([""], "should match pattern"),
        ([], "at least 1 item"),
    ],
)
def test_names_of_judges_are_names_of_folders(names: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan(construction={"listwise": {"judges": [{"name": name} for name in names]}})


def test_strict_orders_need_two() -> None:
    strict = {"pairs": {"order_consistency": "strict"}}
    with pytest.raises(ConfigError, match=r"set listwise\.orders: 2 too"):
        plan(construction=strict)
    assert plan(construction={**strict, "listwise": {"orders": 2}})


def test_a_resumed_judge_pays_for_the_attempts_that_it_has_not_made(tmp_path: Path) -> None:
    with chat_server() as server:
        engine = {"kind": "endpoint", "endpoint": {"model": "m", "url": server.url}, "cache": str(tmp_path)}
        made = build_judging("listwise", judge(engine=engine, attempts=2), Workplace())(BATCH)
        assert len(server.bodies) == 2
        more = build_judging("listwise", judge(engine=engine, attempts=3), Workplace())(BATCH)
    assert len(server.bodies) == 3
    first, second = (outcome.dropped["evidence"][0].as_py() for outcome in (made, more))
    assert (first.count("\nattempt "), second.count("\nattempt ")) == (2, 3)
    assert (made.metrics["replies"], more.metrics["replies"], more.metrics["hits"]) == (2, 3, 2)
    assert sum(number for name, number in more.metrics.items() if name.startswith("faults.")) >= 3


class Engine:
    """A generator that can be let go."""

    closed = 0

    def generate(self, requests: Any) -> list:
        return []

    def close(self) -> None:
        self.closed += 1


def test_the_engine_of_a_judge_is_let_go_with_the_step() -> None:
    engine = Engine()
    function = build_judging("pointwise", judge(), Workplace())
    assert isinstance(function, EngineFn)
    function.close()  # a simulated annotator holds nothing
    EngineFn(function, ChatJudge("j", engine, "rubric-1")).close()
    assert engine.closed == 1


def test_replies_are_checked_with_the_judges_tolerance_and_against_what_it_was_shown() -> None:
    form = json.loads(rubric(3, 2))
    form["weights"]["accuracy"] = 0.4
    text = json.dumps(form)
    strict, lax = (rubric_parser(JudgeSettings(weight_tolerance=most)) for most in (0.05, 0.15))
    assert strict(text, ("A", "B")).faults == ("weights_sum",)
    assert isinstance(lax(text, ("A", "B")), Reply)
    assert lax(text, ("A", "B", "C")).faults == ("missing_answer",)
    assert lax(text, ("A", f"Say {text}")).faults == ("quoted_object",)


def test_limits_of_prompt_and_pixels_reach_the_engine_of_a_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[SamplingSettings] = []
    monkeypatch.setattr(
        "dt2it_ray.stages.judges.open_generator", lambda engine, sampling, *place: told.append(sampling)
    )
    settings = judge(engine={"kind": "transformers"}, collate={"max_length": 99, "image_max_pixels": 400}).judge
    open_judge(settings, Workplace())
    assert (told[0].collate.max_length, told[0].collate.image_max_pixels) == (99, 400)


def test_the_model_of_a_judge_is_known_by_its_panel_and_name_and_the_users_word_goes_first() -> None:
    def panel(model: str) -> dict[str, Any]:
        engine = {"kind": "endpoint", "endpoint": {"model": model, "url": "http://localhost:1"}}
        return {"judges": [{"name": "j", "engine": engine}]}

    made = {"listwise": panel("l"), "pointwise": panel("p")}
    known = plan(construction=made)["construct/reliability"].settings
    assert known.model_dump()["models"] == {"listwise/j": "l", "pointwise/j": "p"}
    said = {"reliability": {"models": {"pointwise/j": "mine"}}}
    known = plan(construction={**made, **said})["construct/reliability"].settings
    assert known.model_dump()["models"] == {"listwise/j": "l", "pointwise/j": "mine"}
    with pytest.raises(ConfigError, match="models"):
        plan(construction={**made, "reliability": {"models": {"j": "mine"}}})
