from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.data.figures import PROBES, RELIABILITY
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.pipeline.report_bias import judge_biases, simulated_judges, style_biases
from dt2it_ray.pipeline.report_pages import write_report
from dt2it_ray.pipeline.run_record import RunRecord, read_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.stages.reliability import RELIABLE, RELIABLE_VOTES, ReliabilitySettings
from dt2it_ray.stages.style import STYLE_PROBE, StyleProbeSettings, style_batch
from tests.pipeline.fake_run import SETTINGS, FakeRun, add_start
from tests.rules.judged import answer_table, judgement, judgement_table, source_table
from tests.rules.tables import vote_table
from tests.rules.test_voters import doubted_table

PROMPTS = [f"p{number:02d}" for number in range(12)]


def reliability() -> pa.Table:
    modes = [judgement(p, {"a": 6, "b": 5}, mode=mode) for p in PROMPTS for mode in ("listwise", "pointwise")]
    tables = {
        "judgements/all": judgement_table(modes),
        "answers": answer_table(PROMPTS, {"a": (10, None), "b": (20, None)}),
        "rows": source_table(dict.fromkeys(PROMPTS, "toy")),
    }
    return RELIABLE.decide(tables, ReliabilitySettings()).rows


def votes() -> pa.Table:
    cast = [(f"{p}ab", judge, turn, "chosen") for p in PROMPTS for judge in ("one", "other") for turn in (False, True)]
    tables = {
        "votes/all": vote_table(cast),
        "doubted": doubted_table((prompt, "a", "b") for prompt in PROMPTS),
        "answers": answer_table(PROMPTS, {"a": (10, None), "b": (20, None)}),
        "rows": source_table(dict.fromkeys(PROMPTS, "toy")),
    }
    return RELIABLE_VOTES.decide(tables, ReliabilitySettings()).rows


def probes() -> pa.Table:
    texts = [{"answer_id": f"{side}", "text": "Red. " * (1 + (side == "b"))} for side in "ab"]
    rows = pa.table({"prompt_id": ["p"], "answers": [texts]})
    pairs = pa.Table.from_pylist(
        [{"pair_id": "x", "prompt_id": "p", "chosen_id": "b", "rejected_id": "a", "source": "toy"}], schema=PAIRS
    )
    tables = {"pairs/raw": pairs, "pairs/constructed": pairs, "features/raw": style_batch(rows).rows}
    return STYLE_PROBE.decide(tables, StyleProbeSettings()).rows


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    fake = FakeRun(str(tmp_path_factory.mktemp("run")))
    add_start(fake)
    fake.add("construct/reliability", RELIABLE.name, {}, reliability().to_pylist(), RELIABILITY)
    fake.add("construct/style-probe", STYLE_PROBE.name, {}, probes().to_pylist(), PROBES)
    fake.finish()
    return fake


@pytest.fixture
def record(fake: FakeRun) -> RunRecord:
    return read_run(fake.run)


def test_figures_of_judges_are_named_by_their_judges(record: RunRecord) -> None:
    told = [entry for entry in judge_biases(record) if not entry.source]
    assert list(dict.fromkeys(entry.about for entry in told)) == [
        "j listwise",
        "j listwise and j pointwise",
        "j pointwise",
        "all judges",
        "all judges, listwise",
        "all judges, pointwise",
    ]
    values = {(entry.about, entry.figure): entry.value for entry in told}
    assert values["j listwise and j pointwise", "kappa"] == 1
    assert values["j pointwise", "longer_wins"] == 0


def test_judges_of_doubted_pairs_are_told_by_iteration_and_simulated_ones_are_called_so(tmp_path: Path) -> None:
    fake = FakeRun(str(tmp_path))
    add_start(fake)
    for iteration in ("iter-01", "iter-02"):
        fake.add(f"{iteration}/reliability", RELIABLE_VOTES.name, {}, votes().to_pylist(), RELIABILITY)
    fake.finish()
    record = read_run(fake.run)
    engines = {"one": None, "other": {"kind": "endpoint"}}
    judges = [{"name": name, "engine": engine} for name, engine in engines.items()]
    told = judge_biases(replace(record, settings={"curate": {"rejudge": {"judges": judges}}}))
    assert list(dict.fromkeys(entry.about for entry in told)) == [
        about
        for iteration in ("iter-01", "iter-02")
        for about in (
            f"one of doubted pairs ({iteration}, simulated)",
            f"one of doubted pairs and other of doubted pairs ({iteration})",
            f"other of doubted pairs ({iteration})",
            f"all judges, of doubted pairs ({iteration})",
        )
    ]


def test_every_judge_of_every_panel_without_an_engine_is_simulated() -> None:
    said = RunSettings(name="demo").model_dump(mode="json") | {"granular": {"raters": [{"name": "r", "engine": None}]}}
    assert simulated_judges(said) == {
        ("listwise", "annotator-0"),
        ("pointwise", "annotator-0"),
        ("rejudge", "rejudge-0"),
        ("rejudge", "rejudge-1"),
        ("rate", "r"),
    }
    assert simulated_judges({"name": "demo", "granular": None}) == set()


def test_features_of_style_come_in_their_own_order(record: RunRecord) -> None:
    told = [entry for entry in style_biases(record) if not entry.source and entry.about == "raw"]
    assert [entry.feature for entry in told][:5] == ["", "", "characters", "words", "sentences"]
    notes = {entry.figure: entry.note for entry in told if not entry.feature}
    assert notes == {"probe_auc": "too_few_prompts", "longer_wins": "too_few_prompts"}


def test_the_page_shows_what_was_measured(fake: FakeRun) -> None:
    page = Path(write_report(fake.run, SETTINGS, fake.finish())).read_text(encoding="utf-8")
    assert 'id="reliability"' in page
    assert "j listwise and j pointwise" in page
    assert "before (raw)" in page
    assert "after (constructed)" in page


def test_a_run_that_measured_nothing_has_no_figures(tmp_path: Path) -> None:
    fake = FakeRun(str(tmp_path))
    add_start(fake)
    fake.finish()
    record = read_run(fake.run)
    assert (judge_biases(record), style_biases(record)) == ([], [])
