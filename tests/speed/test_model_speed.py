"""Every way that is timed computes the same, and the figures say how many times faster the first one is."""

import json
from pathlib import Path

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import TINY, find_backbone
from dt2it_ray.models.collate import Encoded, open_encoder
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.prefix import row_length, shared_length
from dt2it_ray.models.train_rows import open_training_rows
from dt2it_ray.speed import benchmarks, llama_factory, score, true_size
from dt2it_ray.speed.benchmarks import Wanted, measure
from dt2it_ray.speed.pairs import draw_prompts, write_pairs
from dt2it_ray.speed.score import score_so
from dt2it_ray.speed.train import speed_job
from dt2it_ray.speed.true_size import run_true_size
from dt2it_ray.speed.turns import Round, figures_of
from tests.models.random_model import write_random_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_random_model(tmp_path_factory.mktemp("base")))


def test_figures_are_medians_and_ratios_of_rounds() -> None:
    told = {
        "ours": [Round([1.0, 2.0], 1.0, 2.0, 10.0), Round([1.0, 2.0], 2.0, 2.0, 12.0)],
        "theirs": [Round([1.0, 2.5], 3.0, 4.0, 20.0), Round([1.0, 2.0], 4.0, 8.0, 30.0)],
    }
    figures = figures_of(told, 30, "pairs")
    assert (figures["ours_pairs_per_s"], figures["ours_mib"], figures["theirs_mib"]) == (20.0, 11.0, 25.0)
    assert figures["times_faster_than_theirs_by_round"] == [3.0, 2.0]
    assert (figures["times_faster_than_theirs"], figures["times_less_cpu_than_theirs"]) == (2.5, 3.0)
    assert figures["largest_difference_to_theirs"] == 0.5


@pytest.mark.parametrize("ratio", [3, 8])
def test_pairs_are_of_the_ratio_and_mixed_lengths_and_can_be_trained_on(ratio: float, tmp_path: Path) -> None:
    asked = draw_prompts(48, 2, ratio=ratio)
    encoder = open_encoder(find_backbone(TINY).path, CollateSettings())
    groups = [[encoder.encode(chat) for chat in each.conversations()] for each in asked]
    kept = [[entry for entry in group if isinstance(entry, Encoded)] for group in groups]
    assert [len(group) for group in kept] == [2] * 48
    shared = [shared_length(group) for group in kept]
    own = [(row_length(group) - start) / 2 for group, start in zip(kept, shared, strict=True)]
    assert sum(shared) / sum(own) == pytest.approx(ratio, rel=0.05)
    assert max(own) > 4 * min(own)
    pairs_path, rows_path = write_pairs(tmp_path, asked)
    rows = open_training_rows([pairs_path], [(rows_path,)])
    assert (len(rows), rows.num_images()) == (48, 48)
    assert rows.pair(0).chosen.messages[-1]["content"] == asked[0].answers[0]


def test_every_way_of_scoring_gives_the_same_rewards(base: str, tmp_path: Path) -> None:
    model = score._save_model(base, str(tmp_path / "model"))
    chats = [chat for each in draw_prompts(2, 3) for chat in each.conversations()]
    told = {way: score_so(way, model, chats, 1) for way in score.WAYS}
    for rounds in told.values():
        assert rounds.told == pytest.approx(told["shared"].told, abs=1e-4)
        assert rounds.cpu_s > 0
    assert len(set(told["shared"].told)) == 6


@pytest.mark.parametrize(("answers", "trains", "flops"), [(2, True, 6), (4, False, 2)])
def test_dummy_weights_are_timed_and_their_share_of_the_peak_told(answers: int, trains: bool, flops: int) -> None:
    figures = run_true_size("tiny", "cpu", answers, trains, peak_tflops=1e-3, prompts=3)
    told = figures["blocks"]
    assert told["prompts_per_s"] > 0
    used = flops * figures["weights"] * told["tokens_per_s"] / 1e9
    assert told["mfu"] == pytest.approx(used, rel=0.02, abs=1e-4)
    assert "flex" not in figures


def test_kernels_are_compared_where_there_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(true_size.KERNELS, False, true_size.KERNELS[True])
    figures = run_true_size("tiny", "cpu", 4, trains=False, prompts=2)
    assert figures["times_faster_with_flex"] > 0
    assert 0 < figures["largest_difference_with_flex"] < 1e-4


def test_a_kernel_that_does_not_compile_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(wanted: str, *_: object) -> bool:
        if wanted == "flex":
            raise ConfigError("attention=flex does not work here")
        return False

    monkeypatch.setitem(true_size.KERNELS, False, true_size.KERNELS[True])
    monkeypatch.setattr("dt2it_ray.models.reward_model.takes_flex", refuses)
    figures = run_true_size("tiny", "cpu", 4, trains=False, prompts=2)
    assert figures["flex"] == "not measured: attention=flex does not work here"
    assert figures["blocks"]["tokens_per_s"] > 0


def test_the_largest_size_is_qwen3_vl_8b() -> None:
    s = true_size.SIZES["8b"]
    attention = s["hidden"] * (2 * s["hidden"] + 2 * s["kv"] * s["hidden"] // s["heads"])
    weights = s["layers"] * (attention + 3 * s["hidden"] * s["inner"]) + 2 * s["words"] * s["hidden"]
    assert weights / 1e9 == pytest.approx(8.2, abs=0.1)


def test_a_missing_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="no GPU that torch can use; take --device cpu --size tiny"):
        run_true_size("8b", "cuda", 2, trains=True)


def test_what_was_not_asked_for_is_left_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "needs --llama-factory PYTHON" in measure("train", "llama_factory")["llama_factory"]
    assert "needs --size 8b" in measure("score", "true_size")["true_size"]
    assert measure("train", "train", Wanted(size="8b"))["train"] == benchmarks.OF_SIZE
    monkeypatch.setattr(llama_factory, "run_beside_llama_factory", lambda python, *pairs: (python, pairs))
    asked = Wanted(rows=7, llama_factory="/env/python")
    assert measure("train", "llama_factory", asked)["llama_factory"] == ("/env/python", (7,))


def test_a_checkpoint_of_ones_own_is_measured_and_a_text_model_without_images(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "run_score_speed", lambda prompts, **asked: asked | {"prompts": prompts})
    text = llama_factory.write_text_model(find_backbone(TINY).path, str(tmp_path / "text"))
    told = [measure("score", "score", Wanted(model=folder, rows=3))["score"] for folder in (base, text)]
    assert told == [
        {"base": base, "with_images": True, "ratio": 3.0, "prompts": 3},
        {"base": text, "with_images": False, "ratio": 3.0, "prompts": 3},
    ]


def test_llama_factory_is_given_the_same_pairs_and_batches(base: str, tmp_path: Path) -> None:
    asked = draw_prompts(3, 2, with_images=False)
    job = speed_job(tmp_path, 3, base, with_images=False)
    config = json.loads(Path(llama_factory._write_config(tmp_path, asked, job)).read_text())
    assert config["per_device_train_batch_size"] * config["gradient_accumulation_steps"] == 32
    rows = json.loads((tmp_path / "pairs.json").read_text())
    assert [row["chosen"]["value"] for row in rows] == [each.answers[0] for each in asked]
    assert rows[1]["conversations"][0]["value"] == asked[1].prompt["question"]
