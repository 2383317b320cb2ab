"""Granular ratings through the engine: raters, choices, pairs and training sets as steps of a run, then as files."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.data.formats.derived_sets import write_derived_sets
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.schema import CANDIDATES, PROMPTS
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.stages.granular import CHOOSE, GRANULAR_PAIRS, GranularPairSettings
from dt2it_ray.stages.rate import RATE, RateSettings
from dt2it_ray.stages.reliability import RELIABLE_RATINGS, ReliabilitySettings
from dt2it_ray.stages.stage import GatherStage, NoSettings, Outcome, Placement, Step
from dt2it_ray.stages.style import STYLE
from dt2it_ray.stages.teach import TEACH, SetFileSettings, TeachSettings
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest
from tests.engine.toy import reporter
from tests.stages.test_granular import PROMPTS as COUNT
from tests.stages.test_granular import scene_rows

RATERS = ("one", "two")


def given_step(name: str, schema: pa.Schema) -> Step:
    """Rows about scenes, as if an earlier step had made them."""
    table = pa.Table.from_pylist(scene_rows(), schema=schema)
    stage = GatherStage(name=name, version=1, reads={}, writes=schema, decide=lambda tables, settings: Outcome(table))
    return Step(name=name, stage=stage, settings=NoSettings(), part_rows=25)


def granular_steps(batch_rows: int = 64) -> list[Step]:
    rows, candidates = given_step("rows", PROMPTS), given_step("candidates", CANDIDATES)
    rated, place = {"rows": rows, "candidates": candidates}, Placement(batch_rows=batch_rows, max_dropped=0.5)
    annotator = AnnotatorSettings(malformed=0.4)
    raters = [
        Step(
            name=f"construct/ratings/{name}",
            stage=RATE,
            settings=RateSettings(name=name, annotator=annotator, attempts=2),
            inputs=rated,
            placement=place,
        )
        for name in RATERS
    ]
    by_name = {f"ratings/{name}": step for name, step in zip(RATERS, raters, strict=True)}
    style = Step(name="construct/style", stage=STYLE, settings=NoSettings(), inputs={"rows": candidates})
    known = {**by_name, "rows": rows, "answers": style}
    trust = Step(
        name="construct/granular_reliability", stage=RELIABLE_RATINGS, settings=ReliabilitySettings(), inputs=known
    )
    choices = Step(name="construct/granular", stage=CHOOSE, settings=GranularPairSettings(), inputs=by_name)
    chosen = {"choices": choices, "rows": rows}
    pairs = Step(name="construct/granular_pairs", stage=GRANULAR_PAIRS, settings=NoSettings(), inputs=chosen)
    beside, place = {**rated, "choices": choices}, Placement(batch_rows=batch_rows)
    taught = Step(name="construct/sets", stage=TEACH, settings=TeachSettings(), inputs=beside, placement=place)
    return [rows, candidates, *raters, style, trust, choices, pairs, taught]


def do(run: Folder, batch_rows: int = 64) -> dict[str, Manifest]:
    return {step.name: run_step(step, run, reporter()) for step in granular_steps(batch_rows)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(str(tmp_path_factory.mktemp("granular")))


@pytest.fixture(scope="module")
def made(run: Folder) -> dict[str, Manifest]:
    return do(run)


def test_every_prompt_is_rated_or_quarantined_by_each_rater_and_counted(made: dict[str, Manifest]) -> None:
    for name in RATERS:
        counts = made[f"construct/ratings/{name}"].counts
        assert (counts.rows_in, counts.rows_out + counts.dropped) == (COUNT, COUNT)
        assert counts.reasons == {"reply_invalid": counts.dropped}
    figures = made["construct/granular"].metrics
    assert figures["prompts"] == figures["pairs"] + figures["skipped_small_gap"] + figures["skipped_one_answer"]
    assert set(figures["raters"]) == set(RATERS)
    json.dumps(figures)


def test_raters_are_measured_against_each_other(made: dict[str, Manifest]) -> None:
    figures = made["construct/granular_reliability"].metrics
    assert set(figures["longer_wins"]) == {"rate one", "rate two"}
    assert 0 < figures["kappa"]["rate one and rate two"] < 1
    assert 0 < figures["alpha_correctness"]["rate"] < figures["alpha_verbosity"]["rate"] <= 1


def test_pairs_are_those_of_the_choices_and_skipped_prompts_teach_no_preference(
    run: Folder, made: dict[str, Manifest]
) -> None:
    pairs = read_rows(run, made["construct/granular_pairs"]).to_pylist()
    taught = read_rows(run, made["construct/sets"]).to_pylist()
    assert len(pairs) == made["construct/granular"].metrics["pairs"]
    preferring = {row["prompt_id"] for row in taught if any(each["set"] == "dpo" for each in row["examples"])}
    assert preferring == {pair["prompt_id"] for pair in pairs}
    assert len(taught) == made["construct/granular"].metrics["prompts"]


def test_batch_size_changes_no_row(run: Folder, made: dict[str, Manifest], tmp_path: Path) -> None:
    other = Folder(str(tmp_path))
    again = do(other, batch_rows=7)
    for name in made:
        assert [file.sha256 for file in again[name].files] == [file.sha256 for file in made[name].files], name
        assert again[name].counts == made[name].counts


def test_the_sets_become_files_of_as_many_rows_as_examples(
    run: Folder, made: dict[str, Manifest], tmp_path: Path
) -> None:
    settings, taught = SetFileSettings(), read_rows(run, made["construct/sets"])
    rows = (row for batch in taught.to_batches(max_chunksize=16) for row in batch.to_pylist())
    folder, best = Folder(str(tmp_path)), settings.best_attributes()
    counts = write_derived_sets(rows, folder, settings.sets, settings.formats, best)
    examples = [example["set"] for row in taught["examples"].to_pylist() for example in row]
    expected = {name: examples.count(name) for name in settings.sets}
    assert counts == {f"{name}.{form}.jsonl": expected[name] for name in settings.sets for form in settings.formats}
    for name, count in counts.items():
        lines = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) == count > 0
        assert all((tmp_path / image).exists() for line in lines for image in json.loads(line)["images"])
