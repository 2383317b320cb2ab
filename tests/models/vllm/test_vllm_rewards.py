"""One model, one reward: a training's forward pass, the batch scorer, the HTTP server and vLLM agree in float32."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.export_weights import export_weights
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.open_scorer import open_scorer
from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
from dt2it_ray.models.tiny import tiny_path
from dt2it_ray.stages.score import score_batch

pytest.importorskip("vllm.sampling_params")
from tests.models.vllm.checkpoints import smollm2
from tests.models.vllm.mixed_rows import (
    Rewards,
    mixed_prompts,
    prompt_table,
    served_rewards,
    trainer_rewards,
    vllm_rewards,
)

pytestmark = pytest.mark.vllm
FLOAT32 = ScoreSettings(dtype="float32")
TOLERANCE = 1e-4


def reward_model(base: str, folder: Path, **options: float) -> str:
    """A reward model whose head is drawn, with what vLLM can open beside it."""
    model = new_reward_model(base, "float32", 7)
    config = RewardConfig(name="agreeing", **options)
    save_reward_model(model, open_encoder(base, CollateSettings()), config, str(folder / "model"))
    export_weights(str(folder / "model"), str(folder / "for-vllm"), "vllm", lambda config: f"# {config.name}\n")
    return str(folder / "model")


def batch_rewards(folder: str, rows: list) -> Rewards:
    outcome = score_batch(prompt_table(rows), open_scorer(folder, FLOAT32, threads=1))
    return dict(zip(*(outcome.rows[name].to_pylist() for name in ("answer_id", "score")), strict=True))


def farthest(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    assert sorted(first) == sorted(second)
    return max(abs(first[name] - second[name]) for name in first)


@pytest.mark.ray
def test_trainer_batch_scorer_server_and_vllm_agree_on_two_hundred_rows_of_text_and_images(
    ray_session: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dt2it_ray.serving.app import start
    from dt2it_ray.serving.auth import TOKEN_VARIABLE
    from dt2it_ray.serving.settings import ServeSettings

    folder, rows = reward_model(str(tiny_path()), tmp_path), mixed_prompts()
    rewards = batch_rewards(folder, rows)
    assert len(rewards) == 200
    assert max(rewards.values()) - min(rewards.values()) > 1
    told = {"trainer": farthest(rewards, trainer_rewards(folder, rows, tmp_path))}
    monkeypatch.setenv(TOKEN_VARIABLE, "token-of-the-agreement-test")
    server = start({"agreeing": folder}, ServeSettings(port=0, score=FLOAT32))
    try:
        told["server"] = farthest(rewards, served_rewards(server.url, server.token, "agreeing", rows))
    finally:
        server.stop()
    told["vllm"] = farthest(rewards, vllm_rewards(str(tmp_path / "for-vllm"), rows))
    print(f"\nLargest differences to the batch scorer: {told}")
    assert max(told.values()) < TOLERANCE


def test_vllm_scores_a_text_model_as_we_do_its_bias_included(tmp_path: Path) -> None:
    base = smollm2(tmp_path / "smollm2").path
    folder, rows = reward_model(base, tmp_path, bias=0.5), mixed_prompts(most_images=0)[:20]
    rewards = batch_rewards(folder, rows)
    told = farthest(rewards, vllm_rewards(str(tmp_path / "for-vllm"), rows))
    print(f"\nLargest difference: {told}")
    assert told < TOLERANCE
