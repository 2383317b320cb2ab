"""Every kind of folder opens with one call: single models, ensembles, and either of them calibrated."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.assessment import Assessment, assess
from dt2it_ray.models.calibration import CALIBRATION, Calibration
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.ensemble import EnsembleScorer, write_ensemble
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.open_scorer import open_scorer
from dt2it_ray.models.protocols import Scorer
from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
from tests.models.random_model import write_random_model
from tests.models.test_torch_scorer import CHATS, chat

RAW = ScoreSettings(dtype="float32")
CALIBRATED = RAW.model_copy(update={"calibrated": True})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Three reward models of one backbone with heads of their own."""
    root = tmp_path_factory.mktemp("models")
    base = str(write_random_model(root / "base"))
    encoder = open_encoder(base, CollateSettings())
    made = tuple(str(root / f"model-{seed}") for seed in range(3))
    for seed, folder in enumerate(made):
        save_reward_model(new_reward_model(base, "float32", seed), encoder, RewardConfig(name="toy"), folder)
    return made


def scores(scorer: Scorer, chats: Sequence = CHATS) -> list[float]:
    told = scorer.score(chats)
    assert not [entry for entry in told if isinstance(entry, Dropped)]
    return [entry for entry in told if not isinstance(entry, Dropped)]


def calibrate(folder: str, temperature: float, mean: float) -> None:
    figures = dict.fromkeys(("ece_before", "ece_after", "log_loss_before", "log_loss_after", "accuracy", "std"), 0.5)
    model = open_scorer(folder, RAW).fingerprint
    made = Calibration(temperature=temperature, mean=mean, pairs=9, reference="those", fingerprint=model, **figures)
    Path(folder, CALIBRATION).write_text(made.model_dump_json())


def test_an_ensemble_scores_the_mean_and_tells_how_far_members_are_apart(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    write_ensemble(str(tmp_path / "all"), folders, calibrated=False)
    ensemble = open_scorer(str(tmp_path / "all"), RAW, threads=1)
    assert isinstance(ensemble, EnsembleScorer)
    singles = list(zip(*(scores(open_scorer(folder, RAW, threads=1)) for folder in folders), strict=True))
    assert scores(ensemble) == pytest.approx([statistics.fmean(each) for each in singles], abs=1e-6)
    told = [entry for entry in ensemble.assess(CHATS) if isinstance(entry, Assessment)]
    assert [entry.spread for entry in told] == pytest.approx([statistics.stdev(each) for each in singles], abs=1e-6)
    assert [entry.reward for entry in told] == scores(ensemble)
    assert min(entry.spread or 0 for entry in told) > 0


def test_what_one_member_cannot_read_is_dropped(folders: tuple[str, ...], tmp_path: Path) -> None:
    write_ensemble(str(tmp_path / "all"), folders, calibrated=False)
    ensemble = open_scorer(str(tmp_path / "all"), RAW)
    told = ensemble.score([CHATS[0], chat("How many?", "three", b"no image"), CHATS[1]])
    assert isinstance(told[1], Dropped)
    assert [told[0], told[2]] == ensemble.score(CHATS[:2])


def test_the_order_of_members_is_not_part_of_an_ensembles_fingerprint_and_its_members_are(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    prints = []
    for name, members in {"a": folders, "b": folders[::-1], "c": folders[:2]}.items():
        write_ensemble(str(tmp_path / name), members, calibrated=False)
        prints.append(open_scorer(str(tmp_path / name), RAW).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_calibrated_rewards_are_shifted_and_divided_and_only_on_request(folders: tuple[str, ...]) -> None:
    raw = scores(open_scorer(folders[0], RAW))
    calibrate(folders[0], temperature=2.5, mean=0.75)
    assert scores(open_scorer(folders[0], RAW)) == raw
    calibrated = open_scorer(folders[0], CALIBRATED)
    assert scores(calibrated) == pytest.approx([(reward - 0.75) / 2.5 for reward in raw], abs=1e-6)
    assert calibrated.fingerprint != open_scorer(folders[0], RAW).fingerprint
    dropped = calibrated.score([chat("How many?", "three", b"no image")])[0]
    assert isinstance(dropped, Dropped)


def test_an_ensemble_of_calibrated_members_averages_what_is_of_one_scale(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    for place, folder in enumerate(folders):
        calibrate(folder, temperature=10.0**place, mean=float(place))
    write_ensemble(str(tmp_path / "all"), folders)
    ensemble = open_scorer(str(tmp_path / "all"), RAW)
    singles = [scores(open_scorer(folder, CALIBRATED)) for folder in folders]
    expected = [statistics.fmean(each) for each in zip(*singles, strict=True)]
    assert scores(ensemble) == pytest.approx(expected, abs=1e-6)
    calibrate(str(tmp_path / "all"), temperature=0.5, mean=1.0)
    twice = open_scorer(str(tmp_path / "all"), CALIBRATED)
    assert scores(twice) == pytest.approx([(reward - 1.0) / 0.5 for reward in expected], abs=1e-5)
    spreads = [each.spread for each in assess(twice, CHATS) if isinstance(each, Assessment)]
    apart = [statistics.stdev(each) / 0.5 for each in zip(*singles, strict=True)]
    assert spreads == pytest.approx(apart, abs=1e-5)


def test_a_calibration_that_is_missing_or_of_other_weights_is_an_error(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    Path(folders[1], CALIBRATION).unlink(missing_ok=True)
    with pytest.raises(StoreError, match=r"has no calibration\.json: fit one with `dt2it calibrate"):
        open_scorer(folders[1], CALIBRATED)
    calibrate(folders[0], 2.0, 0.0)
    Path(folders[1], CALIBRATION).write_text(Path(folders[0], CALIBRATION).read_text())
    with pytest.raises(StoreError, match=r"was fitted to the model .* Run `dt2it calibrate` again"):
        open_scorer(folders[1], CALIBRATED)
    Path(folders[1], CALIBRATION).write_text('{"temperature": -1}')
    with pytest.raises(ConfigError, match="temperature"):
        open_scorer(folders[1], CALIBRATED)
    Path(folders[1], CALIBRATION).unlink()


def test_an_ensemble_that_is_none_is_an_error(folders: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="gone, which is no folder"):
        write_ensemble(str(tmp_path / "one"), [folders[0], str(tmp_path / "gone")])
    with pytest.raises(ConfigError, match="names a folder twice"):
        write_ensemble(str(tmp_path / "two"), [folders[0], folders[0]])
    with pytest.raises(ConfigError, match="at least 2"):
        write_ensemble(str(tmp_path / "three"), folders[:1])
    write_ensemble(str(tmp_path / "in"), folders, calibrated=False)
    write_ensemble(str(tmp_path / "out"), [str(tmp_path / "in"), folders[0]], calibrated=False)
    with pytest.raises(ConfigError, match="is an ensemble itself"):
        open_scorer(str(tmp_path / "out"), RAW)
