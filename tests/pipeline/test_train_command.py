"""What `dt2it train` reads, writes, keeps and refuses; the training itself is a fake one."""

import json
import shutil
from pathlib import Path

import pytest

from dt2it_ray.errors import ConfigError, InputError, StageFailed, StepChanged, StoreError
from dt2it_ray.models.tiny import tiny_path
from dt2it_ray.pipeline.ingest_run import IngestRunSettings, run_ingest
from dt2it_ray.pipeline.reward_commands import train_lines
from dt2it_ray.pipeline.train_command import load_train_settings, run_train
from tests.pipeline.training_runs import ROWS, FakeTraining, refused, settings_of, take_over
from tests.stages.ingest_files import flat


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    return take_over(monkeypatch, FakeTraining())


def test_the_model_its_log_and_figures_stand_in_the_output(tmp_path: Path, training: FakeTraining) -> None:
    summary = run_train(settings_of(tmp_path))
    out = tmp_path / "out"
    assert (out / "model" / "weights").exists()
    assert json.loads((out / "train.jsonl").read_text())["tokens"] == 120
    assert (summary["pairs"], summary["dropped"], summary["tokens_per_s"]) == (6, {}, 60.0)
    assert json.loads((out / "summary.json").read_text()) == summary
    assert not (out / "rows").exists()
    assert [line for line in train_lines(summary) if "6 pairs, 1 steps, 4.0 pairs/s" in line]
    assert [line for line in train_lines(summary) if line.startswith("1 steps are few: a smaller")]
    assert not [line for line in train_lines(summary | {"steps": 20}) if "are few" in line]


def test_strengths_of_the_rows_reach_the_training(tmp_path: Path, training: FakeTraining) -> None:
    run_train(settings_of(tmp_path))
    pairs = [training.rows.pair(place) for place in range(6)]
    told = {pair.chosen.messages[-1]["content"]: pair.strength for pair in pairs}
    assert told == {f"Red {n}.": float(n) for n in range(6)}


def test_the_same_call_on_a_finished_folder_does_nothing(tmp_path: Path, training: FakeTraining) -> None:
    summary = run_train(settings_of(tmp_path))
    assert run_train(settings_of(tmp_path, training={"workers": 2})) == summary
    assert len(training.jobs) == 1


def test_other_settings_for_a_finished_folder_are_refused_by_name(tmp_path: Path, training: FakeTraining) -> None:
    run_train(settings_of(tmp_path))
    with pytest.raises(StepChanged, match=r"train\.epochs: 1 -> 2"):
        run_train(settings_of(tmp_path, train={"epochs": 2}))
    base = shutil.copytree(tiny_path(), tmp_path / "base")
    (base / "generation_config.json").write_text('{"do_sample": true}')
    with pytest.raises(StepChanged, match="base"):
        run_train(settings_of(tmp_path, base=str(base)))
    run_train(settings_of(tmp_path))
    assert len(training.jobs) == 1


def test_a_training_that_died_goes_on_in_its_folder_and_reads_nothing_again(
    tmp_path: Path, training: FakeTraining
) -> None:
    training.fails = StageFailed("killed")
    with pytest.raises(StageFailed, match="killed"):
        run_train(settings_of(tmp_path))
    read = (tmp_path / "out" / "rows" / "pairs" / "manifest.json").read_bytes()
    training.fails = StageFailed("again")
    with pytest.raises(StageFailed, match="again"):
        run_train(settings_of(tmp_path))
    assert (tmp_path / "out" / "rows" / "pairs" / "manifest.json").read_bytes() == read
    training.fails = None
    assert run_train(settings_of(tmp_path))["pairs"] == 6
    assert len({job["output"] for job in training.jobs}) == 1


def test_an_ingested_folder_gives_the_pairs_of_its_file(tmp_path: Path, training: FakeTraining) -> None:
    settings = settings_of(tmp_path)
    run_train(settings)
    tree = {"files": settings.files.model_dump(), "ingest": settings.ingest.model_dump(), "output": f"{tmp_path}/set"}
    run_ingest(IngestRunSettings.model_validate(tree))
    run_train(settings_of(tmp_path, files={"input": f"{tmp_path}/set"}, output=f"{tmp_path}/other"))
    weights = [(tmp_path / name / "model" / "weights").read_text() for name in ("out", "other")]
    assert weights[0] == weights[1]


def test_every_refused_pair_is_told_by_its_row_and_the_others_are_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over(monkeypatch, FakeTraining(refuse=lambda text: text == "Red 4."))
    rows = [*ROWS, flat("<image>What is it?"), flat("Same?", "Red.", "Red."), ROWS[0]]
    summary = run_train(settings_of(tmp_path, rows))
    reasons = {"answers_equal": 1, "field_invalid": 1, "prompt_too_long": 1, "row_repeated": 1}
    assert (summary["pairs"], summary["dropped"]) == (5, reasons)
    assert sorted(refused(tmp_path), key=lambda row: row[1]) == [
        ("rows.jsonl", 5, "prompt_too_long"),
        ("rows.jsonl", 7, "field_invalid"),
        ("rows.jsonl", 8, "answers_equal"),
        ("rows.jsonl", 9, "row_repeated"),
    ]


def test_a_pair_that_training_refuses_is_told_by_its_row_where_sources_share_its_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over(monkeypatch, FakeTraining(refuse=lambda text: text.startswith("Red 4.")))
    rows = [*ROWS, {**flat("What 4?", "Red 4.", "Grey."), "source": "elsewhere"}]
    summary = run_train(settings_of(tmp_path, rows))
    assert (summary["pairs"], summary["dropped"]) == (5, {"prompt_too_long": 2})
    assert sorted(refused(tmp_path)) == [("rows.jsonl", 5, "prompt_too_long"), ("rows.jsonl", 7, "prompt_too_long")]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([ROWS[0]] * 9, "1 pairs can be used .row_repeated 8"),
        ([flat(f"What {n}?", "Red.", "Red.") for n in range(9)], "0 pairs can be used .answers_equal 9"),
        ([flat("<image>What?", f"Red {n}.") for n in range(9)], "0 pairs can be used .field_invalid 9"),
    ],
    ids=["one pair again and again", "equal answers", "no image where one is shown"],
)
def test_nothing_is_trained_on_fewer_than_two_pairs(
    tmp_path: Path, training: FakeTraining, rows: list[dict], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        run_train(settings_of(tmp_path, rows))
    assert not training.jobs
    assert refused(tmp_path)


def test_a_training_that_could_use_no_pair_is_an_error_and_can_be_called_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over(monkeypatch, FakeTraining(refuse=lambda text: True))
    with pytest.raises(InputError, match="prompt_too_long 6"):
        run_train(settings_of(tmp_path))
    assert not (tmp_path / "out" / "model").exists()
    take_over(monkeypatch, FakeTraining())
    longer = {"collate": {"max_length": 9000}}
    assert run_train(settings_of(tmp_path, train=longer))["pairs"] == 6


def test_refused_pairs_fail_the_training_only_where_a_setting_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = take_over(monkeypatch, FakeTraining(refuse=lambda text: text > "Red 2"))
    assert run_train(settings_of(tmp_path, training={"workers": 2}))["pairs"] == 2
    assert training.jobs[0]["placement"].workers == 2
    with pytest.raises(StageFailed, match=r"max_dropped=0\.5"):
        run_train(settings_of(tmp_path, output=f"{tmp_path}/strict", training={"max_dropped": 0.5}))


@pytest.mark.parametrize("missing", ["tokenizer.json", "chat_template.jinja", "preprocessor_config.json"])
def test_a_checkpoint_without_a_file_is_refused_before_anything_is_read(
    tmp_path: Path, training: FakeTraining, missing: str
) -> None:
    base = shutil.copytree(tiny_path(), tmp_path / "base")
    (base / missing).unlink()
    with pytest.raises(StoreError, match=str(base)):
        run_train(settings_of(tmp_path, base=str(base)))
    assert not (tmp_path / "out" / "rows").exists()


def test_folders_that_no_training_can_use_are_refused(tmp_path: Path, training: FakeTraining) -> None:
    with pytest.raises(ConfigError, match="gone"):
        run_train(settings_of(tmp_path, base=str(tmp_path / "gone")))
    with pytest.raises(ConfigError, match="is in the input"):
        run_train(settings_of(tmp_path, files={"input": str(tmp_path)}))
    with pytest.raises(ConfigError, match="leave it at embed"):
        run_train(settings_of(tmp_path, ingest={"format": "flat", "images": "reference"}))
    with pytest.raises(ValueError, match="not to a URI"):
        settings_of(tmp_path, output="s3://bucket/out")


def test_without_a_gpu_weights_are_float32_unless_something_else_is_said() -> None:
    given = ["files.input=rows.jsonl", "output=out"]
    assert load_train_settings(None, given).train.precision == "float32"
    assert load_train_settings(None, [*given, "training.gpus=1"]).train.precision == "bfloat16"
    assert load_train_settings(None, [*given, "train.precision=bfloat16"]).train.precision == "bfloat16"
