"""Labels are held against the planted truth."""

import pyarrow as pa
import pytest

from dt2it_ray.data.answer_tables import PLANTED_GRADES
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import InputError, StageFailed
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.planted_truth import PLANTED, check_labels, grade_batch
from tests.rules.tables import pair_table, shuffled
from tests.stages.rows import prompt_row

GRADES = pa.Table.from_pylist(
    [
        {"answer_id": name, "prompt_id": "p", "quality": quality}
        for name, quality in (("a", 8.0), ("b", 2.0), ("c", 2.0))
    ],
    schema=PLANTED_GRADES,
)


def test_every_answer_gets_the_quality_that_the_scene_gives_it() -> None:
    row = distill_row("p", "distill", 0, 1)
    truth = Truth.from_json(row["scene"])
    texts = ("Red.", "There are two objects.", "Yes.")
    answers = prompt_row("p", texts)["answers"]
    grades = grade_batch(pa.Table.from_pylist([row | {"answers": answers}], schema=PLANTED.reads)).rows.to_pylist()
    assert [grade["answer_id"] for grade in grades] == [answer["answer_id"] for answer in answers]
    assert [grade["quality"] for grade in grades] == [
        truth.grade(row["question"], row["language"], text).quality for text in texts
    ]


def test_pairs_are_truly_better_equal_or_worse() -> None:
    pairs = pair_table([("1", "a", "b"), ("2", "b", "a"), ("3", "b", "c"), ("4", "a", "c")])
    outcome = check_labels({"pairs": shuffled(pairs), "grades": shuffled(GRADES)}, IntervalSettings())
    assert outcome.rows["truth"].to_pylist() == ["better", "worse", "equal", "better"]
    assert outcome.rows["margin"].to_pylist() == [6, -6, 0, 6]
    told = outcome.metrics
    assert [told[kind] for kind in ("better", "equal", "worse")] == [2, 1, 1]
    assert (told["precision"]["value"], told["precision"]["n"]) == (0.5, 4)
    assert (told["precision_of_unequal"]["value"], told["precision_of_unequal"]["n"]) == (
        pytest.approx(2 / 3, abs=1e-6),
        3,
    )


def test_intervals_are_over_prompts() -> None:
    pairs = pair_table([(str(place), *("ab" if place % 3 else "ba")) for place in range(60)])
    together = pairs.set_column(1, "prompt_id", pa.array(["p"] * pairs.num_rows))
    one, many = (
        check_labels({"pairs": table, "grades": GRADES}, IntervalSettings()).metrics["precision"]
        for table in (together, pairs)
    )
    assert one["value"] == many["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert (one["low"], one["note"]) == (None, "too_few_prompts")
    assert many["low"] < many["value"] < many["high"]


def test_no_pairs_have_no_precision() -> None:
    outcome = check_labels({"pairs": PAIRS.empty_table(), "grades": GRADES}, IntervalSettings())
    assert outcome.metrics["precision"]["value"] is None


def test_what_cannot_be_graded_is_an_error() -> None:
    batch = pa.Table.from_pylist([prompt_row("p", ("a",))], schema=PLANTED.reads)
    with pytest.raises(InputError, match="prompt p has no planted truth"):
        grade_batch(batch)
    with pytest.raises(StageFailed, match="answer x has no planted grade"):
        check_labels({"pairs": pair_table([("1", "a", "x")]), "grades": GRADES}, IntervalSettings())
