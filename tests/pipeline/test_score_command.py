"""What `dt2it score` reads and writes, by toy models and by real ones."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.chat import answered
from dt2it_ray.data.critiques import CRITIQUE_REQUEST
from dt2it_ray.errors import ConfigError, InputError, StoreError
from dt2it_ray.models import open_scorer
from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.ensemble import write_ensemble
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.pipeline.ingest_run import IngestRunSettings, run_ingest
from dt2it_ray.pipeline.score_command import ScoreRunSettings, find_model, plan_score, run_score
from tests.models.critical_models import write_critical_models
from tests.models.endpoint.server import chat_server
from tests.models.random_model import write_random_model
from tests.stages.ingest_files import flat, write_lines
from tests.stages.rows import ToyScorer

ROWS = [
    flat("Why?", "three", "one"),
    flat("Why?", "three", "one"),
    flat("What?", "refuse", "x"),
    flat("Who?", "me", "I am"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Two reward models of one backbone with heads of their own."""
    root = tmp_path_factory.mktemp("models")
    base = str(write_random_model(root / "base"))
    made = tuple(str(root / f"model-{seed}") for seed in range(2))
    for seed, folder in enumerate(made):
        encoder = open_encoder(base, CollateSettings())
        save_reward_model(new_reward_model(base, "float32", seed), encoder, RewardConfig(name="toy"), folder)
    return made


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the folder holds, ToyScorer scores."""
    monkeypatch.setattr(open_scorer, "open_scorer", lambda *_, **__: ToyScorer())


def settings_of(tmp_path: Path, models: tuple[str, ...], rows: list[Any], **tree: Any) -> ScoreRunSettings:
    source = write_lines(tmp_path / "rows.jsonl", rows)
    given = {"files": {"input": source}, "ingest": {"format": "flat"}, "output": f"{tmp_path}/scores.jsonl"}
    return ScoreRunSettings.model_validate({**given, "models": models, **tree})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_rows_are_scored_in_their_order_and_repeats_like_all(
    tmp_path: Path, models: tuple[str, ...], toy: None
) -> None:
    told = run_score(settings_of(tmp_path, models[:1], ROWS))
    scored = lines(tmp_path / "scores.jsonl")
    assert [(row["row"], row["rewards"]) for row in scored] == [(1, [5.0, 3.0]), (2, [5.0, 3.0]), (4, [2.0, 4.0])]
    assert (told["rows"], told["dropped"]) == (3, {"prompt_too_long": 1})
    (refused,) = lines(tmp_path / "scores.jsonl.dropped.jsonl")
    assert (refused["file"], refused["row"], refused["reason"]) == ("rows.jsonl", 3, "prompt_too_long")
    assert not (tmp_path / "scores.jsonl.steps").exists()


def test_parquet_holds_the_same_rows(tmp_path: Path, models: tuple[str, ...], toy: None) -> None:
    run_score(settings_of(tmp_path, models[:1], ROWS))
    run_score(settings_of(tmp_path, models[:1], ROWS, output=f"{tmp_path}/scores.parquet"))
    assert pq.read_table(tmp_path / "scores.parquet").to_pylist() == lines(tmp_path / "scores.jsonl")


def test_prompts_with_answers_and_ingested_folders_are_scored_too(
    tmp_path: Path, models: tuple[str, ...], toy: None
) -> None:
    rows = [{"id": "a", "prompt": "Why?", "answers": ["three", "one", "seven"]}]
    run_score(settings_of(tmp_path, models[:1], rows, ingest={"format": "answers"}))
    (row,) = lines(tmp_path / "scores.jsonl")
    assert (row["item"], row["rewards"], row["disagreement"]) == ("a", [5.0, 3.0, 5.0], None)
    source = write_lines(tmp_path / "pairs.jsonl", ROWS)
    tree = {"files": {"input": source}, "ingest": {"format": "flat"}, "output": f"{tmp_path}/set"}
    run_ingest(IngestRunSettings.model_validate(tree))
    run_score(settings_of(tmp_path, models[:1], [], files={"input": f"{tmp_path}/set"}))
    assert [row["row"] for row in lines(tmp_path / "scores.jsonl")] == [1, 4]


def test_several_models_and_an_ensemble_of_them_give_the_mean_and_their_disagreement(
    tmp_path: Path, models: tuple[str, ...]
) -> None:
    rows = [flat("Why?", "three", "one"), flat("How many?", "two red circles", "none")]
    told = {}
    write_ensemble(str(tmp_path / "all"), models, calibrated=False)
    for name, folders in {"0": models[:1], "1": models[1:], "both": models, "all": (str(tmp_path / "all"),)}.items():
        run_score(settings_of(tmp_path, folders, rows))
        told[name] = lines(tmp_path / "scores.jsonl")
    assert told["both"] == told["all"]
    scorer = open_scorer.open_scorer(models[0], ScoreSettings())
    asked = [Conversation(tuple(answered(row["question"], 0, row["chosen"])), ()) for row in rows]
    assert [row["rewards"][0] for row in told["0"]] == scorer.score(asked)
    for row, *members in zip(told["both"], told["0"], told["1"], strict=True):
        for place in (0, 1):
            first, second = (member["rewards"][place] for member in members)
            assert row["rewards"][place] == pytest.approx((first + second) / 2, abs=1e-6)
            assert row["disagreement"][place] == pytest.approx(abs(first - second) / 2**0.5, abs=1e-6)


def test_critiques_are_written_kept_and_part_of_what_a_score_is(tmp_path: Path) -> None:
    folders = write_critical_models(tmp_path / "models")
    rows, critic = [flat("Why?", "three", "one")], {"sampling": {"max_new_tokens": 4}}
    settings = settings_of(tmp_path, (folders["first"],), rows, critic=critic)
    run_score(settings)
    (row,) = lines(tmp_path / "scores.jsonl")
    assert [len(written) for written in row["critiques"]] == [1, 1]
    scorer = TorchScorer(folders["first"], ScoreSettings(), threads=1)
    asked = [
        Conversation(tuple(answered("Why?", 0, text)), (), written[0])
        for text, written in zip(("three", "one"), row["critiques"], strict=True)
    ]
    assert row["rewards"] == scorer.score(asked)
    other = settings_of(tmp_path, (folders["first"],), rows)
    assert plan_score(other)[-1].fingerprint != plan_score(settings)[-1].fingerprint
    with pytest.raises(ConfigError, match="critic does nothing here"):
        run_score(settings_of(tmp_path, (folders["plain"],), rows, critic=critic))


def test_a_server_may_write_the_critiques(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(body: dict[str, Any]) -> dict[str, Any]:
        *_, answer, request = body["messages"]
        told = f"{request['content']} {answer['content']}?"
        choices = [{"message": {"content": told}, "finish_reason": "stop"}]
        return {"choices": choices, "usage": {"prompt_tokens": 10, "completion_tokens": 7}}

    folders = write_critical_models(tmp_path / "models")
    with chat_server() as server:
        monkeypatch.setattr(server, "reply", reply)
        engine = {"kind": "endpoint", "endpoint": {"model": "m", "url": server.url}}
        both = (folders["first"], folders["reader"])
        rows = [flat("Why?", "three", "one"), flat("Why?", "three", "one")]
        run_score(settings_of(tmp_path, both, rows, critic={"engine": engine}))
        assert len(server.bodies) == 2
    scored = lines(tmp_path / "scores.jsonl")
    texts = [[f"{CRITIQUE_REQUEST['en']} {answer}?"] for answer in ("three", "one")]
    assert [row["critiques"] for row in scored] == [texts, texts]
    readers = [TorchScorer(folder, ScoreSettings(), threads=1) for folder in both]
    asked = Conversation(tuple(answered("Why?", 0, "three")), (), texts[0][0])
    rewards = [reward for reader in readers for reward in reader.score([asked]) if isinstance(reward, float)]
    assert scored[0]["rewards"][0] == pytest.approx(sum(rewards) / 2, abs=1e-6)


def test_a_row_that_no_model_can_score_ends_with_its_reasons(
    tmp_path: Path, models: tuple[str, ...], toy: None
) -> None:
    with pytest.raises(InputError, match="prompt_too_long 1"):
        run_score(settings_of(tmp_path, models[:1], [ROWS[2]]))
    assert not (tmp_path / "scores.jsonl").exists()


def test_weights_of_another_backbone_under_a_config_are_an_error(tmp_path: Path, models: tuple[str, ...]) -> None:
    mixed = tmp_path / "mixed"
    write_random_model(mixed, hidden=64)
    for name in ("config.json", "reward_config.json"):
        (mixed / name).write_bytes(Path(models[0], name).read_bytes())
    with pytest.raises(StoreError, match="do not fit its config"):
        run_score(settings_of(tmp_path, (str(mixed),), ROWS))


def test_folders_that_hold_no_reward_model_are_refused(tmp_path: Path, models: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json"):
        run_score(settings_of(tmp_path, (str(tmp_path / "gone"),), ROWS))
    with pytest.raises(StoreError, match="not a trained reward model"):
        run_score(settings_of(tmp_path, (str(Path(models[0]).parent / "base"),), ROWS))


def test_an_output_that_would_destroy_its_input_is_refused(tmp_path: Path, models: tuple[str, ...]) -> None:
    settings = settings_of(tmp_path, models[:1], ROWS, output=f"{tmp_path}/rows.jsonl")
    with pytest.raises(ConfigError, match="is in the input"):
        run_score(settings)
    with pytest.raises(ConfigError, match="is in the input"):
        run_score(settings_of(tmp_path, models[:1], ROWS, files={"input": str(tmp_path)}))


def test_an_ensemble_is_known_by_what_its_members_hold(tmp_path: Path, models: tuple[str, ...]) -> None:
    for name, calibrated in (("a", False), ("b", False), ("c", True)):
        write_ensemble(str(tmp_path / name), models, calibrated)
    digests = [find_model(str(tmp_path / name)).digest for name in "abc"]
    assert digests[0] == digests[1] != digests[2]
    assert find_model(models[0]).digest != find_model(models[1]).digest
