"""Held-out pairs of one's own: read as the input is, kept from the training, counted; the training itself is fake."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.errors import ConfigError, InputError, StepChanged
from dt2it_ray.models.train_rows import TrainingPair, TrainingRows
from dt2it_ray.pipeline.held_out_input import named_held_out
from dt2it_ray.pipeline.reward_commands import train_lines
from dt2it_ray.pipeline.train_command import TrainRunSettings, run_train
from tests.pipeline.training_runs import ROWS, FakeTraining, refused, settings_of, take_over
from tests.stages.ingest_files import flat, write_lines

OTHER = [flat("Which?", "This.", "That."), flat("Whose?", "Mine.", "Yours.")]


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    return take_over(monkeypatch, FakeTraining())


def held_out(tmp_path: Path, rows: list[Any], **tree: Any) -> TrainRunSettings:
    source = write_lines(tmp_path / "held.jsonl", rows)
    return settings_of(tmp_path, held_out={"files": {"input": source}, **tree})


def pairs_of(rows: TrainingRows) -> list[TrainingPair]:
    return [rows.pair(place) for place in range(len(rows))]


def answers(rows: TrainingRows) -> set[tuple[Any, Any]]:
    """The chosen and rejected answers of a table of pairs, as the training reads them."""
    return {(pair.chosen.messages[-1]["content"], pair.rejected.messages[-1]["content"]) for pair in pairs_of(rows)}


def test_held_out_pairs_are_not_among_those_to_learn_from(tmp_path: Path, training: FakeTraining) -> None:
    turned = flat("What 1?", "Blue 1.", "Red 1.")
    summary = run_train(held_out(tmp_path, [*OTHER, ROWS[0], turned]))
    assert answers(training.held_out) == {
        ("This.", "That."),
        ("Mine.", "Yours."),
        ("Red 0.", "Blue 0."),
        ("Blue 1.", "Red 1."),
    }
    assert answers(training.rows) == {(f"Red {n}.", f"Blue {n}.") for n in range(2, 6)}
    assert (summary["pairs"], summary["held_out_pairs"], summary["dropped"]) == (4, 4, {"held_out": 2})
    assert refused(tmp_path) == [("rows.jsonl", 1, "held_out"), ("rows.jsonl", 2, "held_out")]
    assert "Held out: 4 pairs" in train_lines(summary)


def test_pairs_are_the_same_whatever_their_source_and_prompts_have_one_name(
    tmp_path: Path, training: FakeTraining
) -> None:
    source = write_lines(tmp_path / "held.jsonl", [ROWS[3], flat("What 4?", "Green.", "Blue 4.")])
    files = {"input": source, "source": "elsewhere"}
    summary = run_train(settings_of(tmp_path, held_out={"files": files}))
    assert summary["dropped"] == {"held_out": 1}
    assert answers(training.held_out) == {("Red 3.", "Blue 3."), ("Green.", "Blue 4.")}
    assert ("Red 4.", "Blue 4.") in answers(training.rows)
    names = [{pair.pair_id for pair in pairs_of(rows)} for rows in (training.rows, training.held_out)]
    assert not names[0] & names[1]


def test_a_held_out_file_may_have_a_format_of_its_own(tmp_path: Path, training: FakeTraining) -> None:
    rows = [{"asked": "Which?", "good": "This.", "bad": "That."}]
    columns = {"question": "asked", "chosen": "good", "rejected": "bad"}
    run_train(held_out(tmp_path, rows, format="mapping", mapping=columns))
    assert answers(training.held_out) == {("This.", "That.")}
    assert len(answers(training.rows)) == 6


COLUMNS = {"question": "q", "chosen": "a", "rejected": "b"}


@pytest.mark.parametrize("tree", [{"mapping": COLUMNS}, {"format": "trl", "mapping": COLUMNS}, {"format": "mapping"}])
def test_a_mapping_that_nobody_would_read_is_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"held_out\.format=mapping and held_out\.mapping go together"):
        held_out(tmp_path, OTHER, **tree)


def test_refused_rows_of_the_held_out_file_say_so(tmp_path: Path, training: FakeTraining) -> None:
    run_train(held_out(tmp_path, [*OTHER, flat("Which?", "same", "same")]))
    (row,) = map(json.loads, (tmp_path / "out" / "dropped.jsonl").read_text("utf-8").splitlines())
    assert (row["file"], row["row"], row["reason"], row["held_out"]) == ("held.jsonl", 3, "answers_equal", True)


def test_a_held_out_file_without_a_usable_pair_is_an_error(tmp_path: Path, training: FakeTraining) -> None:
    with pytest.raises(InputError, match=r"held\.jsonl: no pair can be used to evaluate on"):
        run_train(held_out(tmp_path, [flat("Which?", "same", "same")]))
    assert training.jobs == []
    assert refused(tmp_path) == [("held.jsonl", 1, "answers_equal")]


def test_a_held_out_file_that_takes_all_pairs_is_an_error(tmp_path: Path, training: FakeTraining) -> None:
    with pytest.raises(InputError, match=r"0 pairs can be used \(held_out 6\)"):
        run_train(held_out(tmp_path, ROWS))


def test_held_out_pairs_and_a_share_exclude_each_other(tmp_path: Path) -> None:
    tree = {"train": {"evaluation": {"held_out": 0.1}}, "held_out": {"files": {"input": "x.jsonl"}}}
    with pytest.raises(ValueError, match="leave one of them out"):
        settings_of(tmp_path, **tree)


def test_other_held_out_pairs_for_a_finished_folder_are_refused(tmp_path: Path, training: FakeTraining) -> None:
    run_train(held_out(tmp_path, OTHER))
    assert run_train(held_out(tmp_path, OTHER))["held_out_pairs"] == 2
    with pytest.raises(StepChanged, match="held_out"):
        run_train(settings_of(tmp_path))
    assert len(training.jobs) == 1


def test_what_rows_say_of_their_answers_reaches_a_training_with_critiques(
    tmp_path: Path, training: FakeTraining
) -> None:
    said = {"chosen_critique": "Right.", "rejected_critique": "Wrong."}
    rows = [row | said for row in ROWS[:3]] + ROWS[3:]
    loss = {"loss": {"critique": {"enabled": True}}}
    source = write_lines(tmp_path / "held.jsonl", [OTHER[0] | said])
    run_train(settings_of(tmp_path, rows, train=loss, held_out={"files": {"input": source}}))
    told = {
        pair.chosen.messages[-1]["content"]: (pair.chosen.critique, pair.rejected.critique)
        for pair in pairs_of(training.rows)
    }
    with_them = {f"Red {n}.": ("Right.", "Wrong.") for n in range(3)}
    assert told == with_them | {f"Red {n}.": (None, None) for n in range(3, 6)}
    assert [pair.chosen.critique for pair in pairs_of(training.held_out)] == ["Right."]


def test_options_name_the_settings_and_need_the_file(tmp_path: Path) -> None:
    columns = tmp_path / "columns.yaml"
    columns.write_text("question: asked\n")
    assert named_held_out("", "", "", "") == {}
    assert named_held_out("a.jsonl", "trl", "images", "") == {
        "held_out.files.input": "a.jsonl",
        "held_out.files.image_root": "images",
        "held_out.format": "trl",
    }
    told = named_held_out("a.jsonl", "", "", str(columns))
    assert (told["held_out.format"], told["held_out.mapping"]) == ("mapping", {"question": "asked"})
    with pytest.raises(ConfigError, match="--held-out-format says how"):
        named_held_out("", "trl", "", "")
    with pytest.raises(ConfigError, match="both say"):
        named_held_out("a.jsonl", "trl", "", str(columns))
