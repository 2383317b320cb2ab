"""With diversity enhancement only what is new is judged again, and all later steps read the enlarged sets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data.ids import answer_id
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.scenes.claims import false_values
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.scenes.wording import claim_text
from dt2it_ray.data.schema import CANDIDATES, PROMPTS
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.engines import EngineSettings
from dt2it_ray.pipeline.diversity_plan import Sampled, plan_diversity
from dt2it_ray.pipeline.drive import drive
from dt2it_ray.pipeline.plan import plan_run
from dt2it_ray.pipeline.planner import Planner
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages import world
from dt2it_ray.stages.construct import DiversitySettings
from dt2it_ray.stages.diversify import AdditionSettings
from dt2it_ray.stages.judges import JudgeSettings, JudgingSettings
from dt2it_ray.stages.stage import BatchFn, MapStage, NoSettings, Outcome, Step, Workplace
from dt2it_ray.store.files import Folder

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


@pytest.mark.parametrize(
    ("add", "told"),
    [
        ({"sampling": {"dtype": "bfloat16"}}, "sampling.dtype does nothing for kind: vllm"),
        ({"better_engine": {"kind": "vllm", "model": "tiny"}}, "0.9 and 0.9 of its GPU's memory"),
    ],
)
def test_engines_that_do_not_fit_once_the_author_is_known_are_refused_before_anything_is_sampled(
    add: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=f"^construction.diversity.add: .*{told}"):
        plan(generate={"engine": {"kind": "vllm"}}, diversity={"enabled": True, "add": add})


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


def answer_rightly(settings: NoSettings, place: Workplace) -> BatchFn:
    """Two right answers to every second prompt, a right and a wrong one to the others; all by one model."""

    def answer(batch: pa.Table) -> Outcome:
        rows = []
        for number, row in enumerate(batch.sort_by("prompt_id").to_pylist()):
            truth = Truth.from_json(row["scene"])
            false = false_values(truth.scenes[0], truth.asked)[0]
            other = truth.asked if number % 2 else replace(truth.asked, value=false)
            texts = [claim_text(truth.asked, row["language"], 0), claim_text(other, row["language"], 1)]
            named = sorted(({"answer_id": answer_id(row["prompt_id"], t), "text": t} for t in texts), key=str)
            rows.append({"prompt_id": row["prompt_id"], "answers": named, "origins": ["model:toy"] * 2, "samples": 2})
        return Outcome(pa.Table.from_pylist(rows, schema=CANDIDATES))

    return answer


ANSWERS = MapStage(
    name="answers",
    version=1,
    reads=pa.schema([PROMPTS.field(name) for name in ("prompt_id", "language", "scene")]),
    writes=CANDIDATES,
    build=answer_rightly,
)


def test_the_steps_add_worse_answers_and_leave_one_judgement_of_each_set(tmp_path: Path) -> None:
    settings = RunSettings(name="toy", root=str(tmp_path))
    planner = Planner(settings, BACKBONE)
    index = planner.add("index", world.INDEX, world.IndexSettings(seed=0, sizes={"toy": 16}), {})
    rows = planner.add("rows", world.DISTILL, world.RowSettings(seed=0), {"rows": index})
    sampled = planner.add("answers", ANSWERS, NoSettings(), {"rows": rows})
    sure = AnnotatorSettings(error_rate=0, malformed=0, position_bias=0, score_noise=0)
    screener = JudgingSettings(judge=JudgeSettings(annotator=sure))
    wanted = parse_settings(DiversitySettings, {"add": {"worse": ["colour", "number", "place", "yes_no"]}}, "test")
    made = plan_diversity(planner.add, wanted, Sampled(rows, sampled, EngineSettings(), BACKBONE), screener)
    run = Folder(settings.folder())
    manifests = drive(planner.steps, run, settings, 1).manifests
    assert manifests["construct/needs"].metrics["worse"] == 8
    enlarged = manifests["construct/enlarged"].counts.rows_out
    assert enlarged >= 4
    assert manifests["construct/judge-enlarged"].counts.skipped == 16 - enlarged
    judgements = read_rows(run, manifests["construct/listwise/annotator-0"]).to_pylist()
    candidates = read_rows(run, manifests[made.candidates.name]).to_pylist()
    seen = {row["prompt_id"]: set(row["order"]) for row in judgements}
    assert len(judgements) == 16
    assert seen == {row["prompt_id"]: {answer["answer_id"] for answer in row["answers"]} for row in candidates}
