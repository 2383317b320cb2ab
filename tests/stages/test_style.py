import pyarrow as pa
import pytest

from dt2it_ray.data.figures import PROBES, STYLE_FEATURES
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.scenes.open_sets import STYLE_BIAS, open_row
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed
from dt2it_ray.stages.stage import NoSettings, Outcome, Workplace
from dt2it_ray.stages.style import STYLE, STYLE_OF_ROWS, STYLE_PROBE, StyleProbeSettings

OPEN = [open_row(content_id("open", number), STYLE_BIAS, 0, number, (number % 10 < 3,)) for number in range(400)]
SETTINGS = StyleProbeSettings()


def style_of_rows(rows: list[dict]) -> Outcome:
    batch = pa.Table.from_pylist([{name: row.get(name) for name in STYLE_OF_ROWS.reads.names} for row in rows])
    return STYLE_OF_ROWS.build(NoSettings(), Workplace())(batch.cast(STYLE_OF_ROWS.reads))


def pairs_of(rows: list[dict]) -> pa.Table:
    pairs = [label | {name: row[name] for name in ("prompt_id", "source")} for row in rows for label in row["labels"]]
    return pa.Table.from_pylist(pairs, schema=PAIRS).select(STYLE_PROBE.reads["pairs/*"].names)


def test_every_answer_has_its_features_and_who_wrote_it() -> None:
    rows = [
        {
            "prompt_id": "p",
            "answers": [{"answer_id": "pa", "text": "Red."}, {"answer_id": "pb", "text": "- one\n- two"}],
        },
        {"prompt_id": "q", "answers": [{"answer_id": "qa", "text": "好！"}]},
    ]
    origins = [["model:x", "reference"], ["degraded:number"]]
    batch = pa.Table.from_pylist([row | {"origins": who} for row, who in zip(rows, origins, strict=True)], STYLE.reads)
    made = STYLE.build(NoSettings(), Workplace())(batch).rows
    assert made.schema.equals(STYLE_FEATURES)
    assert made.select(["answer_id", "prompt_id", "origin", "characters", "list_items"]).to_pylist() == [
        {"answer_id": "pa", "prompt_id": "p", "origin": "model:x", "characters": 4, "list_items": 0},
        {"answer_id": "pb", "prompt_id": "p", "origin": "reference", "characters": 11, "list_items": 2},
        {"answer_id": "qa", "prompt_id": "q", "origin": "degraded:number", "characters": 2, "list_items": 0},
    ]
    uneven = pa.Table.from_pylist([row | {"origins": ["model:x"]} for row in rows], STYLE.reads)
    with pytest.raises(StageFailed, match="prompt p has not as many origins as answers"):
        STYLE.build(NoSettings(), Workplace())(uneven)


def test_a_prompt_without_answers_is_dropped_and_batches_do_not_matter() -> None:
    rows = [*OPEN[:20], OPEN[20] | {"answers": []}, OPEN[21] | {"answers": None}, *OPEN[22:30]]
    whole = style_of_rows(rows)
    assert whole.dropped["key"].to_pylist() == sorted(row["prompt_id"] for row in rows[20:22])
    assert set(whole.dropped["reason"].to_pylist()) == {"too_few_answers"}
    parts = [style_of_rows(rows[start : start + 7]) for start in (21, 0, 14, 7, 28)]
    together = pa.concat_tables([part.rows for part in parts]).sort_by("answer_id")
    assert together.equals(whole.rows.sort_by("answer_id"))
    assert whole.rows.num_rows == sum(len(row["answers"] or ()) for row in rows)


def test_the_style_planted_in_an_open_set_is_found_and_made_even_it_is_gone() -> None:
    features, pairs = style_of_rows(OPEN).rows, pairs_of(OPEN)
    flipped = pairs.rename_columns({"chosen_id": "rejected_id", "rejected_id": "chosen_id"}).select(pairs.column_names)
    # Half of the labels turned: the same answers, and no style that is chosen more often.
    even = pa.concat_tables([pairs.sort_by("pair_id").slice(0, 200), flipped.sort_by("pair_id").slice(200)])
    outcome = STYLE_PROBE.decide({"pairs/before": pairs, "pairs/after": even, "features/open": features}, SETTINGS)
    assert outcome.rows.schema.equals(PROBES)
    before, after = outcome.metrics["before"], outcome.metrics["after"]
    assert before["probe_auc"] >= 0.75
    assert after["probe_auc"] <= 0.55
    assert (before["pairs"], after["pairs"]) == (400, 400)
    assert before["longer_wins"] == pytest.approx(0.78, abs=0.06)
    assert len(set(outcome.rows["probe_id"].to_pylist())) == outcome.rows.num_rows


def test_no_pairs_have_no_figures() -> None:
    nothing = pairs_of([])
    outcome = STYLE_PROBE.decide({"pairs/after": nothing, "features/open": STYLE_FEATURES.empty_table()}, SETTINGS)
    assert outcome.metrics == {"after": {"longer_wins": None, "probe_auc": None, "pairs": 0}}
