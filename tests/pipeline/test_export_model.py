"""`dt2it export --model` writes weights with a card of the run that made them, and sends them where they are to go."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.cli import main
from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline import export_model as module
from dt2it_ray.pipeline.export_model import ExportModelSettings, export_model, find_training
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Counts, Manifest, PartFile, write_manifest
from tests.report.test_model_card import TRAINING

STEP, FINGERPRINT = "iter-02/train", "f00d"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model where a run of the loop leaves it, with the manifest of its training."""
    from dt2it_ray.models.collate import open_encoder
    from dt2it_ray.models.model_settings import CollateSettings
    from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
    from tests.models.random_model import write_random_model

    root = tmp_path_factory.mktemp("runs")
    base = str(write_random_model(root / "base"))
    folder = root / "demo" / STEP / FINGERPRINT / "model"
    folder.parent.mkdir(parents=True)
    encoder = open_encoder(base, CollateSettings())
    save_reward_model(new_reward_model(base, "float32", 7), encoder, RewardConfig(name="iter-02"), str(folder))
    sha256 = hashlib.sha256((folder / "reward_config.json").read_bytes()).hexdigest()
    told: dict[str, Any] = {name: TRAINING[name] for name in ("settings", "inputs", "metrics", "provenance")}
    manifest = Manifest(
        step=STEP,
        stage="train",
        version=1,
        fingerprint=FINGERPRINT,
        files=(PartFile("model/reward_config.json", 0, sha256),),
        counts=Counts(1239, 1234, 5),
        placement={},
        **told,
    )
    write_manifest(Folder(str(root / "demo")), manifest)
    (root / "demo" / "run.json").write_text(json.dumps({"settings": {"backbone": "/models/Qwen3-VL-8B"}}))
    return str(folder)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return int(stopped.value.code or 0)


def test_the_card_names_the_run_the_base_and_the_license(tmp_path: Path, model: str) -> None:
    assert run("export", "--model", model, "--output", str(tmp_path / "out"), "--license", "apache-2.0") == 0
    card = (tmp_path / "out" / "README.md").read_text()
    for told in (
        "# iter-02",
        'license: "apache-2.0"',
        "`demo`, step `iter-02/train`",
        "base: Qwen3-VL-8B",
        "vllm serve",
    ):
        assert told in card
    assert (tmp_path / "out" / "video_preprocessor_config.json").is_file()


def test_a_model_that_was_put_beside_its_run_is_found_by_what_its_config_says(model: str) -> None:
    run_folder = Path(model).parents[3]
    beside = run_folder / "model"
    beside.mkdir()
    (beside / "reward_config.json").write_bytes(Path(model, "reward_config.json").read_bytes())
    found = find_training(str(beside))
    assert found is not None
    assert (found[0], found[1].fingerprint) == (run_folder, FINGERPRINT)
    (beside / "reward_config.json").write_text("{}")
    assert find_training(str(beside)) is None


def test_a_model_outside_a_run_has_a_card_that_says_so(tmp_path: Path, model: str) -> None:
    alone = tmp_path / "alone"
    alone.symlink_to(model)
    copy = tmp_path / "copy"
    export_model(ExportModelSettings(model=model, output=str(copy), to="reward_model"))
    export_model(ExportModelSettings(model=str(copy), output=str(tmp_path / "out"), to="value_head", base="mine"))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Nothing is recorded beside the weights." in card
    assert "base: mine" in card
    assert find_training(str(alone)) is not None


def test_results_of_evaluations_are_shown(tmp_path: Path, model: str) -> None:
    result = {
        "benchmark": "flat",
        "rows": {},
        "by_length_difference": [],
        "model": "iter-02",
        "n": 20,
        "accuracy": 0.75,
    }
    (tmp_path / "result.json").write_text(json.dumps(result))
    export_model(
        ExportModelSettings(model=model, output=str(tmp_path / "out"), results=(str(tmp_path / "result.json"),))
    )
    assert "| flat | iter-02 | 20 | 0.7500 |" in (tmp_path / "out" / "README.md").read_text()


def test_an_export_is_sent_only_where_it_is_told_to_go(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[Sequence[Any]] = []
    monkeypatch.setattr(module, "push_folder", lambda *how: sent.append(how) or "https://hub/owner/name")
    assert run("export", "--model", model, "--output", str(tmp_path / "kept")) == 0
    assert sent == []
    output = str(tmp_path / "sent")
    assert run("export", "--model", model, "--output", output, "--push", "owner/name", "--public") == 0
    assert sent[0][:3] == (output, "owner/name", False)
    assert "sent to https://hub/owner/name" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="OWNER/NAME"):
        export_model(ExportModelSettings(model=model, output=str(tmp_path / "none"), push="name"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one of --input FOLDER (pairs) and --model FOLDER (weights)"),
        (("--input", "a", "--model", "b"), "give one of --input"),
        (("--input", "a", "--push", "owner/name"), "push is for the weights of --model"),
        (("--input", "a", "--public"), "public is for the weights"),
        (("--model", "a", "--pairs", "iter-01"), "--pairs is for the pairs of --input"),
        (("--model", "/nowhere"), "model=/nowhere: there is no such folder"),
    ],
)
def test_options_that_do_not_go_together_are_named(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", "--output", str(tmp_path / "out"), *arguments) == 2
    assert message in capsys.readouterr().err
