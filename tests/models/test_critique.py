"""Critiques behind answers: what is read, what is learned, what the model writes, and how answers are scored so."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional

from dt2it_ray.data.chat import answered
from dt2it_ray.data.critiques import CRITIQUE_REQUEST, with_critique
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.critic import Critic, CritiqueScorer
from dt2it_ray.models.critique import CritiqueAware, WritingModel, critique_costs
from dt2it_ray.models.loss_settings import ContrastiveSettings, CritiqueSettings, LossSettings, ShortcutSettings
from dt2it_ray.models.model_settings import CollateSettings, SamplingSettings, ScoreSettings
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import new_reward_model, open_reward_model, read_reward_config
from dt2it_ray.models.reward_settings import ReadoutSettings
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.models.train_log import read_refused_pairs, read_training_log
from dt2it_ray.models.train_loop import TrainJob, train
from dt2it_ray.models.transformers_generator import TransformersGenerator
from dt2it_ray.models.weights import load_language_model
from tests.models.random_model import picture, write_toy_pairs
from tests.models.test_train_loop import LocalSession

CRITIQUED = LossSettings(critique=CritiqueSettings(enabled=True))
GOOD, BAD = "There are three.", "图中没有圆。"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """Toy pairs with critiques that tell the better answer."""
    job = write_toy_pairs(tmp_path_factory.mktemp("critiques"), num_prompts=8)
    pairs = pq.read_table(job.pairs_paths[0])
    for name, text in (("chosen_critique", GOOD), ("rejected_critique", BAD)):
        pairs = pairs.append_column(name, pa.array([text] * pairs.num_rows))
    pq.write_table(pairs, job.pairs_paths[0])
    settings = job.settings.model_copy(update={"loss": CRITIQUED})
    return dataclasses.replace(job, settings=settings)


@pytest.fixture(scope="module")
def encoder(job: TrainJob) -> Encoder:
    return open_encoder(job.base, CollateSettings())


def conversation(answer: str, critique: str | None = None, question: str = "How many?") -> Conversation:
    return Conversation(tuple(answered(question, 1, answer)), (picture(1),), critique)


def encoded(encoder: Encoder, answer: str, critique: str | None = None) -> Encoded:
    made = encoder.encode(conversation(answer, critique))
    assert isinstance(made, Encoded)
    return made


def test_a_critique_stands_behind_the_answer_in_a_turn_that_was_asked_for(encoder: Encoder) -> None:
    bare, made = encoded(encoder, "three"), encoded(encoder, "three", GOOD)
    assert made.prompt == bare.prompt
    assert made.ids[: len(bare.ids)].tolist() == bare.ids.tolist()
    rest = encoder.tokenizer.decode(made.ids[len(bare.ids) :])
    assert rest == f"<|im_start|>user\n{CRITIQUE_REQUEST['en']}<|im_end|>\n<|im_start|>assistant\n{GOOD}<|im_end|>\n"
    assert encoder.tokenizer.decode(made.ids[-made.critique :]) == f"{GOOD}<|im_end|>\n"
    assert bare.critique == 0


def test_the_request_is_in_the_language_of_the_question() -> None:
    turns = with_critique(answered("有几个圆?", 0, "三个"), "zh", BAD)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant"]
    assert turns[2]["content"] == CRITIQUE_REQUEST["zh"]


def test_mean_pooling_reads_answer_and_critique(job: TrainJob) -> None:
    encoder = open_encoder(job.base, CollateSettings(), readout=ReadoutSettings(pooling="mean"))
    assert encoded(encoder, "three", GOOD).start == encoded(encoder, "three").start > 0


def test_costs_are_the_mean_cross_entropy_of_the_critique_in_rows_that_share_a_prompt(
    job: TrainJob, encoder: Encoder
) -> None:
    model = load_language_model(job.base, "float32")
    answers = [("three", GOOD), ("图中", BAD), ("one", None)]
    group = [encoded(encoder, *answer) for answer in answers]
    learner = CritiqueAware(new_reward_model(job.base, "float32", 0), job.base)
    counts = torch.tensor([made.critique for made in group])
    with torch.no_grad():
        rewards, costs = learner(prefix_batch([group], encoder), counts)
        for made, cost in zip(group, costs.tolist(), strict=True):
            batch = prefix_batch([[made]], encoder)
            logits = model(
                input_ids=batch.ids,
                position_ids=batch.positions,
                pixel_values=batch.patches,
                image_grid_thw=batch.grids,
            ).logits[0]
            expected = 0.0
            if made.critique:
                before = logits[-made.critique - 1 : -1]
                expected = functional.cross_entropy(before, batch.ids[0, -made.critique :]).item()
            assert cost == pytest.approx(expected, rel=1e-4)
    assert rewards.shape == (3,)


def test_no_critiques_cost_nothing() -> None:
    class Batch:
        last, ids = torch.tensor([[0, 2]]), torch.zeros(1, 3, dtype=torch.long)

    batch: Any = Batch()
    assert critique_costs(torch.ones(1, 3, 2), batch, torch.tensor([0]), torch.ones(4, 2)).tolist() == [0.0]


def trained(job: TrainJob, folder: Path) -> Path:
    train(dataclasses.replace(job, output=str(folder)), LocalSession(folder / "state"))
    return folder


@pytest.mark.usefixtures("process_group")
def test_a_model_learns_to_write_critiques_and_to_score_behind_them(job: TrainJob, tmp_path: Path) -> None:
    settings = job.settings.model_copy(update={"epochs": 20, "learning_rate": 3e-3})
    folder = trained(dataclasses.replace(job, settings=settings), tmp_path) / "model"
    steps = read_training_log(str(tmp_path))
    assert steps[-1]["loss_critique"] < 0.2 * steps[0]["loss_critique"]
    assert steps[-1]["loss"] == pytest.approx(steps[-1]["loss_preference"] + steps[-1]["loss_critique"], rel=1e-4)
    assert read_reward_config(str(folder)).critiques
    scorer = TorchScorer(str(folder), ScoreSettings())
    bare = conversation("three")
    (refused,) = scorer.score([bare])
    assert isinstance(refused, Dropped)
    assert "critique behind every answer" in refused.detail
    good, bad = scorer.score([dataclasses.replace(bare, critique=text) for text in (GOOD, BAD)])
    assert isinstance(good, float)
    assert isinstance(bad, float)
    assert good > bad
    generator = TransformersGenerator(str(folder), SamplingSettings(temperature=0, max_new_tokens=32))
    critic = Critic(generator)
    (written,) = critic.write([bare])
    assert written in (GOOD, BAD)
    assert CritiqueScorer(critic, scorer).score([bare]) == [good if written == GOOD else bad]


@pytest.mark.usefixtures("process_group")
def test_a_pair_without_a_critique_is_refused_by_name(job: TrainJob, tmp_path: Path) -> None:
    pairs = pq.read_table(job.pairs_paths[0])
    place = pairs.column_names.index("rejected_critique")
    lacking = pa.array([None, "", *[BAD] * (pairs.num_rows - 2)])
    pq.write_table(pairs.set_column(place, "rejected_critique", lacking), tmp_path / "pairs")
    trained(dataclasses.replace(job, pairs_paths=(str(tmp_path / "pairs"),)), tmp_path)
    refused = read_refused_pairs(str(tmp_path))
    assert sorted(row["key"] for row in refused) == sorted(pairs["pair_id"].to_pylist()[:2])
    assert {row["detail"] for row in refused} == {"an answer of the pair has no critique"}


@pytest.mark.usefixtures("process_group")
def test_pairs_without_columns_of_critiques_are_an_error(job: TrainJob, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(job.pairs_paths[0]).drop_columns(["chosen_critique"]), tmp_path / "pairs")
    with pytest.raises(InputError, match="no column chosen_critique"):
        trained(dataclasses.replace(job, pairs_paths=(str(tmp_path / "pairs"),)), tmp_path)


def test_embeddings_that_are_split_over_workers_are_no_language_head(job: TrainJob) -> None:
    with pytest.raises(ConfigError, match="zero_stage=3 splits them"):
        CritiqueAware(new_reward_model(job.base, "float32", 0), job.base, zero_stage=3)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"shortcut": ShortcutSettings(enabled=True)}, "critique takes no shortcut"),
        ({"contrastive": ContrastiveSettings(weight=1)}, "critique takes no contrastive"),
    ],
)
def test_terms_that_hide_or_change_images_are_refused_beside_critiques(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LossSettings(critique=CritiqueSettings(enabled=True), **settings)
    with pytest.raises(ValueError, match=r"does nothing without critique\.enabled"):
        CritiqueSettings(weight=0.5)


@pytest.mark.usefixtures("process_group")
def test_groups_of_answers_with_critiques_are_trained_on_in_any_micro_batches(job: TrainJob, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    loss = LossSettings(kwise=True, critique=CritiqueSettings(enabled=True, weight=0.5))
    job = dataclasses.replace(job, settings=job.settings.model_copy(update={"loss": loss}))
    whole = trained(job, tmp_path / "whole")
    parts = trained(dataclasses.replace(job, micro_batch_pairs=1), tmp_path / "parts")
    expected, found = (load_file(folder / "model" / "model.safetensors") for folder in (whole, parts))
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-4)
    for one, other in zip(read_training_log(str(whole)), read_training_log(str(parts)), strict=True):
        assert other["loss_critique"] == pytest.approx(one["loss_critique"], rel=1e-3)
        assert one["loss_critique"] > 0


@pytest.mark.usefixtures("process_group")
def test_a_language_head_of_its_own_stays_as_it_is_and_goes_into_the_folder(job: TrainJob, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    base, whole = tmp_path / "base", load_language_model(job.base, "float32")
    whole.config.tie_word_embeddings = False
    own = torch.randn(whole.lm_head.weight.shape, generator=torch.Generator().manual_seed(1))
    whole.lm_head.weight = torch.nn.Parameter(own)
    shutil.copytree(job.base, base)
    whole.save_pretrained(base)
    folder = trained(dataclasses.replace(job, base=str(base)), tmp_path) / "model"
    assert torch.equal(load_file(folder / "model.safetensors")["lm_head.weight"], own)
    assert torch.equal(load_language_model(str(folder), "float32").lm_head.weight, own)
    writer = WritingModel(open_reward_model(str(folder), "float32")[0], str(folder))
    assert torch.equal(writer.lm_head(torch.eye(own.shape[1])), own.T)
