"""From ratings to pairs and training sets: the stages in a row."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.scenes.answers import STYLES, write_answer
from dt2it_ray.data.scenes.prompts import draw_prompt
from dt2it_ray.data.scenes.prompts import prompt_row as scene_row
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.stages.granular import CHOOSE, GRANULAR_PAIRS, RATED, GranularPairSettings, choose, pair_choices
from dt2it_ray.stages.rate import RATE, RateSettings, build_rating
from dt2it_ray.stages.stage import NoSettings, Workplace
from dt2it_ray.stages.teach import TEACH, SetFileSettings, TeachSettings, teach_batch
from tests.stages.rows import prompt_row

PROMPTS = 60
SOUND = {"error_rate": 0.0, "position_bias": 0.0, "malformed": 0.0}


def scene_rows() -> list[dict]:
    """Prompts about scenes, each with a right and a wrong answer in two styles."""
    rows = []
    for number in range(PROMPTS):
        asked = draw_prompt(f"granular {number}")
        question = asked.question
        texts = [
            write_answer(asked.scene, question, value, STYLES[(number + style) % 4], question.language)
            for style in (0, 1)
            for value in (question.value, question.false_values[0])
        ]
        row = scene_row(f"p{number:02d}", "toy", asked)
        answers = prompt_row(row["prompt_id"], list(dict.fromkeys(texts)))["answers"]
        rows.append(row | {"answers": answers, "origins": ["model:m"] * len(answers)})
    return rows


def rated(rows: list[dict], name: str = "rater-0", **annotator: float) -> pa.Table:
    settings = RateSettings(name=name, annotator=AnnotatorSettings.model_validate({**SOUND, **annotator}))
    ratings = build_rating(settings, Workplace())(pa.Table.from_pylist(rows, schema=RATE.reads)).rows
    return ratings.select(RATED.names)


def test_pairs_of_a_sound_rater_prefer_what_is_true() -> None:
    rows = scene_rows()
    chosen = choose({"ratings/rater-0": rated(rows)}, GranularPairSettings())
    narrow = pa.Table.from_pylist(rows, schema=GRANULAR_PAIRS.reads["rows"])
    outcome = pair_choices({"choices": chosen.rows, "rows": narrow}, NoSettings())
    assert outcome.rows.num_rows > PROMPTS * 0.9
    assert outcome.metrics == {"pairs": outcome.rows.num_rows, "skipped": PROMPTS - outcome.rows.num_rows}
    prompts = {row["prompt_id"]: row for row in rows}
    for pair in outcome.rows.to_pylist():
        row = prompts[pair["prompt_id"]]
        texts = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
        best, worst = (
            Truth.from_json(row["scene"]).grade(row["question"], row["language"], texts[pair[side]]).quality
            for side in ("chosen_id", "rejected_id")
        )
        assert best > worst
        assert pair["strength"] >= 2


def test_figures_of_every_rater_stand_in_the_metrics() -> None:
    rows = scene_rows()
    tables = {f"ratings/{name}": rated(rows, name, score_noise=1.0) for name in ("one", "two")}
    outcome = choose(tables, GranularPairSettings())
    metrics = outcome.metrics
    assert list(metrics["raters"]) == ["one", "two"]
    skipped = metrics["skipped_small_gap"] + metrics["skipped_one_answer"]
    assert metrics["pairs"] + skipped == metrics["prompts"] == PROMPTS
    correlations = {name: metrics["raters"]["one"][name]["length_correlation"] for name in ("verbosity", "quality")}
    assert correlations["verbosity"] > 0.5 > abs(correlations["quality"])
    assert choose(dict(reversed(tables.items())), GranularPairSettings()) == outcome


def test_all_quarantined_is_no_error() -> None:
    outcome = choose({"ratings/rater-0": RATED.empty_table()}, GranularPairSettings())
    assert outcome.rows.num_rows == 0
    assert outcome.rows.schema == CHOOSE.writes


def taught(rows: list[dict], **settings: Any) -> tuple[list[dict], dict]:
    choices = choose({"ratings/r": rated(rows)}, GranularPairSettings()).rows
    beside = {row["prompt_id"]: row for row in choices.to_pylist()}
    joined = [row | beside[row["prompt_id"]] for row in rows]
    batch = pa.Table.from_pylist(joined, schema=TEACH.reads)
    outcome = teach_batch(batch, TeachSettings.model_validate(settings))
    assert outcome.rows.schema == TEACH.writes
    return outcome.rows.to_pylist(), dict(outcome.metrics)


def test_every_prompt_teaches_with_its_images_once_and_the_sets_are_counted() -> None:
    rows = scene_rows()
    rows[0]["reference"] = "Truth."
    made, metrics = taught(rows)
    assert metrics.pop("sft_from_reference") == 1
    assert [row["prompt_id"] for row in made] == [row["prompt_id"] for row in rows]
    assert all(row["images"] == source["images"] for row, source in zip(made, rows, strict=True))
    counted = Counter(f"examples.{example['set']}" for row in made for example in row["examples"])
    assert metrics == counted
    assert metrics["examples.steerlm"] == sum(len(row["answers"]) for row in rows)
    assert metrics["examples.sft"] == metrics["examples.rejection_sampling"] == PROMPTS


@pytest.mark.parametrize(("origin", "sampler"), [("degraded:number", ""), ("model:big", "m")])
def test_the_sample_of_the_standard_set_is_one_that_the_sampler_wrote(origin: str, sampler: str) -> None:
    rows = scene_rows()[:20]
    for row in rows:
        first = min(range(len(row["answers"])), key=lambda place: row["answers"][place]["answer_id"])
        row["origins"][first] = origin
    made, _ = taught(rows, sampler=sampler)
    picked = {row["prompt_id"]: e["answer"] for row in made for e in row["examples"] if e["set"] == "sft"}
    for row in rows:
        second = sorted(row["answers"], key=lambda answer: answer["answer_id"])[1]
        assert picked[row["prompt_id"]] == second["text"]


def test_an_image_with_a_path_of_its_own_is_not_stored_again() -> None:
    [row] = scene_rows()[:1]
    row["images"] = [{**row["images"][0], "path": "mine/a.png"}]
    [made], _ = taught([row])
    assert made["images"] == [{"bytes": None, "path": "mine/a.png"}]


@pytest.mark.parametrize(("typical", "ending"), [({}, ":2,verbosity:2"), ({"verbosity": 3}, ":2,verbosity:3")])
def test_the_best_attributes_are_four_and_typical_ones(typical: dict[str, int], ending: str) -> None:
    asked = SetFileSettings.model_validate(typical).best_attributes()
    assert asked == f"helpfulness:4,correctness:4,coherence:4,complexity{ending}"
