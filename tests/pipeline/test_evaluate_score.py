"""Rewards of a model go to the rows that they are of, and rows that it cannot score are counted with their reasons."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from dt2it_ray.data.chat import answered
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.formats import multimodal_rewardbench, vl_rewardbench
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.critic_settings import CriticSampling, CriticSettings
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.open_critic import open_critics
from dt2it_ray.models.open_scorer import open_scorer
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.weights import load_backbone
from dt2it_ray.pipeline.evaluate_command import Outputs, run_evaluation
from dt2it_ray.pipeline.evaluate_rows import LoadedBenchmark, load_benchmark
from dt2it_ray.pipeline.evaluate_score import score_rows
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import benchmark_row, picture
from tests.models.critical_models import write_critical_models
from tests.models.random_model import write_random_model
from tests.stages.rows import ToyScorer

SHORT = CriticSettings(sampling=CriticSampling(max_new_tokens=4))


def own(tmp_path: Path, rows: list[dict[str, Any]]) -> LoadedBenchmark:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_benchmark("pairs", str(path), images=True)


def test_rewards_are_of_the_chosen_and_the_rejected_answer(tmp_path: Path) -> None:
    vl_rewardbench.write(
        [benchmark_row("a-1", answers=("long answer", "short")), benchmark_row("a-1", answers=("no", "yes"), chosen=1)],
        Folder(str(tmp_path)),
    )
    loaded = load_benchmark("vl_rewardbench", str(tmp_path), images=True)
    rewards, lost = score_rows(loaded, ToyScorer(), batch_rows=1)
    assert rewards == [(11.0, 5.0), (3.0, 2.0)]
    assert lost == {}


def test_what_cannot_be_scored_has_a_reason_at_its_place(tmp_path: Path) -> None:
    row = {"id": "x", "question": "q", "chosen": "good", "rejected": "bad"}
    (tmp_path / "a.png").write_bytes(picture(1))
    rows = [row | {"images": ["a.png"]}, row | {"images": ["no.png"]}, row | {"chosen": 3}, row | {"chosen": "refuse"}]
    rewards, lost = score_rows(own(tmp_path, rows), ToyScorer(), batch_rows=2)
    assert rewards == [(4.0, 3.0), None, None, None]
    assert sorted(lost) == [1, 3]
    assert lost[1].startswith("image_missing: field images: no.png")
    assert lost[3] == "prompt_too_long: told to"


def test_equal_answers_tie(tmp_path: Path) -> None:
    row = {"id": "x", "question": "q", "chosen": "same", "rejected": "same"}
    assert score_rows(own(tmp_path, [row, row]), ToyScorer(), 8) == ([(4.0, 4.0)] * 2, {})


def test_a_checkpoint_is_evaluated_and_its_predictions_give_the_same_figures(tmp_path: Path) -> None:
    model = write_random_model(tmp_path / "model")
    width = load_backbone(str(model), "float32").config.text_config.hidden_size
    torch.manual_seed(0)
    save_file({"v_head.summary.weight": torch.randn(1, width)}, model / "value_head.safetensors")
    folder = Folder(str(tmp_path / "bench"))
    rows = [benchmark_row(f"mathvista_{k}", "reasoning", images=(picture(k),)) for k in range(4)]
    multimodal_rewardbench.write(rows, folder)
    (tmp_path / "bench" / "data" / "images" / "mathvista" / "2.png").unlink()
    asked = {"benchmark": "multimodal_rewardbench", "rows": str(tmp_path / "bench" / "data" / "all_data.json")}
    out, saved, again = (str(tmp_path / name) for name in ("out.json", "saved.jsonl", "again.json"))
    told = run_evaluation({**asked, "models": [f"rm={model}"]}, Outputs(json=out, save=saved))
    assert told[0].startswith("rm: accuracy ")
    run_evaluation(asked | {"predictions": [saved]}, Outputs(json=again))
    first, second = (json.loads(Path(name).read_text()) for name in (out, again))
    assert (first["n"], first["unscored"], first["lost"]["reasons"]) == (4, 1, {"image_missing": 1})
    assert first["categories"] == second["categories"]
    assert first["calibration"] == second["calibration"]
    assert first["kind"] == "reward_model"
    assert first["calibration"]["n"] == 3
    lines = [json.loads(line) for line in Path(saved).read_text().splitlines()]
    assert lines[2]["dropped"].startswith("image_missing")
    assert lines[0]["chosen"] != lines[1]["chosen"]


@pytest.mark.parametrize("given", ["all_data.json", "data/all_data.json", ""])
def test_images_are_found_wherever_the_rows_were_named(tmp_path: Path, given: str) -> None:
    base = tmp_path / "data" if given == "data/all_data.json" else tmp_path
    multimodal_rewardbench.write([benchmark_row("a_1", "vqa", images=(picture(1),))], Folder(str(base)))
    named = base / "data" / "all_data.json" if given else base
    loaded = load_benchmark("multimodal_rewardbench", str(named), images=True)
    assert score_rows(loaded, ToyScorer(), 8) == ([(6.0, 6.0)], {})


class PlaceScorer:
    """Likes the first image by 1, and the picture of shade 1 by 0.25."""

    fingerprint = "toy"

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        return [self._score(conversation) for conversation in conversations]

    def _score(self, conversation: Conversation) -> float:
        prefers = 0 if conversation.messages[-1]["content"].startswith("Image 1") else 1
        return (prefers == 0) + 0.25 * (conversation.images[prefers] == picture(1))


def test_the_favour_for_a_place_cancels_where_answers_name_images_by_place(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "b.png").write_bytes(picture(2))
    row = {"caption": "c", "image_0": "a.png", "image_1": "b.png"}
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row | label) for label in ({"label": 0}, {"label": 1})))
    loaded = load_benchmark("mj_bench", str(path), images=True)
    rewards, lost = score_rows(loaded, PlaceScorer(), batch_rows=1)
    assert rewards == [(0.75, 0.5), (0.5, 0.75)]
    assert lost == {}


def test_a_model_that_reads_critiques_is_evaluated_behind_them(tmp_path: Path) -> None:
    folders = write_critical_models(tmp_path / "models")
    own(tmp_path, [{"id": "x", "question": "q", "chosen": "three", "rejected": "one"}])
    asked = {"benchmark": "pairs", "rows": str(tmp_path / "rows.jsonl"), "models": [folders["first"], folders["plain"]]}
    outputs = Outputs(json=str(tmp_path / "told.json"), save=str(tmp_path / "saved.jsonl"))
    run_evaluation(asked, outputs, overrides=["critic.sampling.max_new_tokens=4"])
    told = json.loads((tmp_path / "told.json").read_text())["models"]
    assert told["first"]["critic"]["sampling"]["max_new_tokens"] == 4
    assert "critic" not in told["plain"]
    scorer = open_scorer(folders["first"], ScoreSettings(), critics=open_critics(SHORT, ScoreSettings()))
    chats = [Conversation(tuple(answered("q", 0, text)), ()) for text in ("three", "one")]
    (saved,) = [json.loads(line) for line in (tmp_path / "saved.jsonl").read_text().splitlines()]
    assert [saved["chosen"], saved["rejected"]] == scorer.score(chats)
    with pytest.raises(ConfigError, match="critic does nothing here"):
        run_evaluation({**asked, "models": [folders["plain"]]}, Outputs(), overrides=["critic.sampling.seed=1"])
