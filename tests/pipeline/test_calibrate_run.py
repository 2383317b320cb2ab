"""A calibration is fitted on ingested pairs and kept beside the weights, where every scorer finds it."""

import json
from pathlib import Path

import numpy as np
import pytest

from dt2it_ray.cli import main
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.models.calibration import CALIBRATION, Calibration
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.pipeline.calibrate_run import CalibrateSettings, calibrate_model, calibration_lines
from tests.stages.ingest_files import flat, ingest, picture

PAIRS = 60
RAW = ScoreSettings(dtype="float32")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    from dt2it_ray.models.collate import open_encoder
    from dt2it_ray.models.model_settings import CollateSettings
    from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
    from tests.models.random_model import write_random_model

    root = tmp_path_factory.mktemp("model")
    base = str(write_random_model(root / "base"))
    encoder = open_encoder(base, CollateSettings())
    save_reward_model(new_reward_model(base, "float32", 7), encoder, RewardConfig(name="toy"), str(root / "model"))
    return str(root / "model")


def reference(tmp_path: Path, model: str, followed: float) -> str:
    """Ingested pairs with an image, in so many of which people prefer what the model prefers."""
    from dt2it_ray.models.open_scorer import open_scorer
    from dt2it_ray.models.protocols import reward_conversation

    (tmp_path / "a.png").write_bytes(picture(1))
    prompt = {"images": [{"bytes": picture(1), "path": None}], "history": None}
    scorer, rows = open_scorer(model, RAW, threads=1), []
    draw = np.random.default_rng(0)
    for number in range(PAIRS):
        question, texts = f"How many red circles are on side {number}?", [f"{number} of them.", f"I see {number * 7}."]
        told = scorer.score([reward_conversation(prompt | {"question": question}, text) for text in texts])
        rewards = [reward for reward in told if not isinstance(reward, Dropped)]
        better, worse = texts if (rewards[0] > rewards[1]) == (draw.random() < followed) else texts[::-1]
        rows.append(flat(question, better, worse, image_path="a.png"))
    ingest(tmp_path, rows)
    return str(tmp_path / "out")


def settings(model: str, pairs: str, **changes: object) -> CalibrateSettings:
    tree = {"model": model, "pairs": pairs, "least_pairs": 40, "score": RAW.model_dump()}
    return CalibrateSettings.model_validate(tree | changes)


def test_calibrated_margins_say_how_often_people_agree(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from dt2it_ray.models.open_scorer import open_scorer
    from tests.models.test_torch_scorer import CHATS

    pairs = reference(tmp_path, model, followed=0.8)
    found = calibrate_model(settings(model, pairs))
    assert (found.pairs, found.std > 0) == (PAIRS, True)
    assert found.accuracy == pytest.approx(0.8, abs=0.1)
    told = json.loads(Path(model, CALIBRATION).read_text())
    assert told["temperature"] == found.temperature
    raw = open_scorer(model, RAW).score(CHATS)
    calibrated = open_scorer(model, RAW.model_copy(update={"calibrated": True})).score(CHATS)
    expected = [(float(reward) - found.mean) / found.temperature for reward in raw if not isinstance(reward, Dropped)]
    assert calibrated == pytest.approx(expected, abs=1e-5)
    assert "60 pairs" in calibration_lines(found, model)[0]
    # The command does the same again.
    main_without_exit("calibrate", "--model", model, "--pairs", pairs, "least_pairs=40", "score.dtype=float32")
    assert f"Written: {model}/{CALIBRATION}" in capsys.readouterr().out
    assert json.loads(Path(model, CALIBRATION).read_text()) == told


def main_without_exit(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert not stopped.value.code


def test_pairs_that_the_model_turns_round_or_too_few_are_refused(tmp_path: Path, model: str) -> None:
    pairs = reference(tmp_path, model, followed=0.1)
    with pytest.raises(InputError, match="does not order them as people do"):
        calibrate_model(settings(model, pairs))
    with pytest.raises(InputError, match="60 pairs could be scored and 0 not; at least least_pairs=200"):
        calibrate_model(settings(model, pairs, least_pairs=200))


def test_what_is_no_set_of_pairs_or_no_raw_reward_is_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(ConfigError, match="make one with `dt2it ingest`"):
        calibrate_model(settings(model, str(tmp_path)))
    with pytest.raises(ConfigError, match="fitted to raw rewards"):
        calibrate_model(settings(model, str(tmp_path), score={"calibrated": True}))


def test_an_ensemble_is_made_by_name(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    from dt2it_ray.models.open_scorer import open_scorer
    from tests.models.test_torch_scorer import CHATS

    copy = tmp_path / "copy"
    copy.symlink_to(model)
    main_without_exit("ensemble", model, str(copy), "--output", str(tmp_path / "all"), "--raw")
    assert "2 models in" in capsys.readouterr().out
    mean = open_scorer(str(tmp_path / "all"), RAW).score(CHATS)
    assert mean == pytest.approx([float(r) for r in open_scorer(model, RAW).score(CHATS) if isinstance(r, float)])


def test_members_that_are_not_calibrated_yet_are_named_when_the_ensemble_asks_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = dict.fromkeys(("std", "accuracy", "ece_before", "ece_after", "log_loss_before", "log_loss_after"), 0.5)
    found = Calibration(temperature=1, mean=0, pairs=1, reference="pairs", fingerprint="weights", **figures)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "second" / CALIBRATION).write_text(found.model_dump_json())
    members = [str(tmp_path / name) for name in ("first", "second")]
    main_without_exit("ensemble", *members, "--output", str(tmp_path / "all"))
    told = capsys.readouterr().out
    assert f"dt2it calibrate --model {members[0]} --pairs FOLDER" in told
    assert members[1] not in told
    main_without_exit("ensemble", *members, "--output", str(tmp_path / "raw"), "--raw")
    assert "calibrate" not in capsys.readouterr().out
