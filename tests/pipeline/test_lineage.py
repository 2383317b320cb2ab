import json
from pathlib import Path

import pytest

from dt2it_ray.errors import StoreError
from dt2it_ray.pipeline.lineage import explain_pair
from dt2it_ray.store.files import Folder
from tests.pipeline.fake_loop import whole_run
from tests.pipeline.fake_run import FakeRun, pool

FLIPPED, BY_VOTES, TIED, UNHEARD = 0, 4, 6, 32


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return whole_run(str(tmp_path_factory.mktemp("run")))


def told(fake: FakeRun, place: int) -> list[str]:
    """The history of one noisy pair, runs of spaces as one."""
    text = explain_pair(fake.run, pool()[place]["pair_id"])
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_flipped_pair_tells_its_scores_threshold_and_decision(fake: FakeRun) -> None:
    lines = told(fake, FLIPPED)
    assert lines[0].endswith("noisy pool, source label_flips")
    assert "planted truth the label is wrong on purpose" in lines
    first = lines[lines.index("iter-01") : lines.index("iter-02")]
    assert "score-voter-1 A -0.600, B +0.600: strength -1.200" in first
    assert "vote mean strength -1.200, flip threshold -0.500: flipped" in first
    assert "judges not asked" in first
    assert first[-1] == "decision flipped by rule consistent"


def test_votes_name_judge_order_and_answer(fake: FakeRun) -> None:
    first = told(fake, TIED)
    votes = [line for line in first if line.startswith("rejudge-")][:4]
    assert votes == [
        "rejudge-0 A shown first: A is better",
        "rejudge-0 B shown first: B is better",
        "rejudge-1 A shown first: A is better",
        "rejudge-1 B shown first: B is better",
    ]
    assert "decision dropped by rule votes_tied (A 2, B 2, 4 valid votes)" in first


def test_votes_follow_the_direction_in_which_the_judges_were_given_the_pair(tmp_path: Path) -> None:
    fake = whole_run(str(tmp_path), iterations=1)
    step = next(entry for entry in fake.plan if entry["step"] == "iter-01/doubted")
    name = f"iter-01/doubted/{step['fingerprint']}/00000.parquet"
    table = fake.run.read_table(name)
    rows = table.to_pylist()
    for row in rows:
        for entry in row["pairs"]:
            entry["chosen_id"], entry["rejected_id"] = entry["rejected_id"], entry["chosen_id"]
    fake.run.write_table(name, type(table).from_pylist(rows, schema=table.schema))
    assert "rejudge-0 B shown first: A is better" in told(fake, BY_VOTES)


def test_an_invalid_vote_shows_the_reply(fake: FakeRun) -> None:
    assert "rejudge-0 A shown first: invalid: not JSON after 3 attempts" in told(fake, UNHEARD)


def test_trainings_are_told_with_their_direction(fake: FakeRun) -> None:
    lines = told(fake, BY_VOTES)
    assert lines[lines.index("training") + 1 :] == [
        "raw_baseline/train A over B (as labelled)",
        "iter-01/train B over A (flipped)",
        "iter-02/train B over A (flipped)",
    ]
    dropped = told(fake, TIED)
    assert dropped[dropped.index("training") + 1 :] == ["raw_baseline/train A over B (as labelled)"]


def test_a_constructed_pair_tells_what_both_judges_said(fake: FakeRun) -> None:
    text = explain_pair(fake.run, "made-1")
    assert "listwise             annotator-0: A 8.50, B 7.50" in text
    assert "pointwise            annotator-0: A 7.25, B 6.25" in text
    assert "strength             +2.000 when it was made" in text


def test_a_lost_answer_a_second_order_and_faults_are_told(tmp_path: Path) -> None:
    fake = whole_run(str(tmp_path), iterations=0)
    step = next(entry for entry in fake.plan if entry["step"] == "construct/listwise/annotator-0")
    name = f"{step['step']}/{step['fingerprint']}/00000.parquet"
    table = fake.run.read_table(name)
    rows = table.to_pylist()
    for row in rows:
        row |= {"shown": 1, "assessments": row["assessments"][:1], "faults": ["fenced", "missing_answer"]}
    fake.run.write_table(name, type(table).from_pylist(rows, schema=table.schema))
    text = explain_pair(fake.run, "made-1")
    assert "annotator-0 in the second order: A 8.50, B lost (faults: fenced, missing_answer)" in text


def test_a_unique_prefix_is_enough(fake: FakeRun) -> None:
    pair = pool()[0]["pair_id"]
    assert explain_pair(fake.run, pair[:8]) == explain_pair(fake.run, pair)


@pytest.mark.parametrize("typed", ["zzzz", "", "  "])
def test_an_unknown_id_is_refused(fake: FakeRun, typed: str) -> None:
    with pytest.raises(StoreError, match=r"no pair of .* starts with .*open/pairs.*pair_id"):
        explain_pair(fake.run, typed)


def test_an_ambiguous_prefix_names_candidates(fake: FakeRun) -> None:
    with pytest.raises(StoreError, match=r"2 pairs .*t2i-pair-0, t2i-pair-1.*more digits"):
        explain_pair(fake.run, "t2i-pair")


def test_an_answer_cannot_steer_the_terminal(fake: FakeRun) -> None:
    text = explain_pair(fake.run, pool()[0]["pair_id"])
    assert "\x1b" not in text
    assert r"\x1b[2J" in text


def test_an_iteration_that_is_not_done_says_so(tmp_path: Path) -> None:
    fake = whole_run(str(tmp_path), iterations=1)
    fake.run.delete("iter-01/decisions/manifest.json")
    assert "decision none so far" in told(fake, FLIPPED)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no run in .*run\.json is missing"):
        explain_pair(Folder(str(tmp_path)), "ab")
    (tmp_path / "run.json").write_text(json.dumps({"plan": []}))
    with pytest.raises(StoreError, match=r"run\.json is damaged"):
        explain_pair(Folder(str(tmp_path)), "ab")
