"""The loss that adapts a backbone: transformers' own, for every family, and a saved model that has it too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from dt2it_ray.data.chat import answered
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import StoreError
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.language_loss import AnswerLosses, answer_losses
from dt2it_ray.models.language_model import LanguageModel, save_language_model
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.prefix import PrefixBatch, prefix_batch
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_settings import ModelSettings, ReadoutSettings
from dt2it_ray.models.weights import load_causal_model
from tests.models.random_families import FAMILIES, write_family
from tests.models.random_model import ANSWERS, picture, write_random_model

ALL_LEARN = ModelSettings(pooling="mean", shared_prompt=False, freeze_vision=False, freeze_projector=False)


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_family(tmp_path_factory.mktemp(request.param), request.param)


def encode(encoder: Encoder, answer: str, *images: bytes) -> Encoded:
    encoded = encoder.encode(Conversation(tuple(answered("How many circles?", len(images), answer)), images))
    assert not isinstance(encoded, Dropped)
    return encoded


def conversations(encoder: Encoder) -> list[Encoded]:
    """Answers of several lengths about no image, one, and two, of which one is shown before."""
    shown = [(), (picture(1),), (picture(2), picture(1))] if encoder.image_processor else [()]
    return [encode(encoder, answer, *images) for images in shown for answer in ANSWERS.values()]


def losses_of(model: LanguageModel, encoded: list[Encoded], encoder: Encoder) -> AnswerLosses:
    with torch.no_grad():
        return model(prefix_batch([[entry] for entry in encoded], encoder))


def expected(whole: Any, encoded: Encoded) -> tuple[float, int]:
    """The loss by transformers' own forward pass, and the tokens that it is of."""
    ids = torch.from_numpy(encoded.ids)[None]
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if encoded.pictures:
        inputs["pixel_values"] = torch.cat([torch.from_numpy(shown.patches) for shown in encoded.pictures])
        inputs["image_grid_thw"] = torch.tensor([shown.grid for shown in encoded.pictures])
        inputs["mm_token_type_ids"] = (ids == whole.config.image_token_id).int()
    with torch.no_grad():
        logits = whole(**inputs).logits[0, encoded.start - 1 : -1]
    return float(functional.cross_entropy(logits, ids[0, encoded.start :], reduction="sum")), len(logits)


def test_the_losses_of_a_batch_are_those_of_transformers_one_by_one(folder: str) -> None:
    encoder = open_encoder(folder, CollateSettings(), readout=ALL_LEARN.readout())
    encoded = conversations(encoder)
    told = losses_of(LanguageModel(folder, "float32", ALL_LEARN), encoded, encoder)
    wanted = [expected(load_causal_model(folder, "float32"), entry) for entry in encoded]
    assert told.tokens.tolist() == [tokens for _, tokens in wanted]
    assert told.sums.tolist() == pytest.approx([loss for loss, _ in wanted], rel=1e-4)


def test_only_the_answer_and_the_end_of_its_turn_are_learned(folder: str) -> None:
    encoder = open_encoder(folder, CollateSettings(), readout=ALL_LEARN.readout())
    encoded = encode(encoder, ANSWERS["right"])
    assert encoder.tokenizer.decode(encoded.ids[encoded.start :]) == f"{ANSWERS['right']}<|im_end|>\n"
    told = losses_of(LanguageModel(folder, "float32", ALL_LEARN), [encoded], encoder)
    assert told.tokens.tolist() == [len(encoded.ids) - encoded.start]


def test_a_saved_model_has_the_same_losses_and_is_a_backbone(folder: str, tmp_path: Path) -> None:
    encoder = open_encoder(folder, CollateSettings(), readout=ALL_LEARN.readout())
    model = LanguageModel(folder, "float32", ALL_LEARN)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.25)
    save_language_model(model, encoder, "float32", str(tmp_path / "model"))
    again = LanguageModel(str(tmp_path / "model"), "float32", ALL_LEARN)
    encoded = conversations(open_encoder(str(tmp_path / "model"), CollateSettings(), readout=ALL_LEARN.readout()))
    assert torch.equal(losses_of(again, encoded, encoder).sums, losses_of(model, encoded, encoder).sums)
    backbone = new_reward_model(str(tmp_path / "model"), "float32", seed=0).backbone
    weights = dict(model.backbone.named_parameters())
    assert all(torch.equal(weight, weights[name]) for name, weight in backbone.named_parameters())
    assert not (tmp_path / "model.draft").exists()


def test_answers_that_share_their_prompt_in_a_row_have_the_losses_of_rows_of_their_own(tmp_path: Path) -> None:
    folder = str(write_random_model(tmp_path))
    packed = open_encoder(folder, CollateSettings(), readout=ReadoutSettings(pooling="mean"))
    apart = open_encoder(folder, CollateSettings(), readout=ALL_LEARN.readout())
    groups = [[encode(packed, answer, *images) for answer in ANSWERS.values()] for images in ((), (picture(1),))]
    told, wanted = (losses_of_places(prefix_batch(groups, encoder)) for encoder in (packed, apart))
    assert told.sums.tolist() == pytest.approx(wanted.sums.tolist(), rel=1e-5)
    assert told.tokens.tolist() == wanted.tokens.tolist()


def losses_of_places(batch: PrefixBatch) -> AnswerLosses:
    """Losses where hidden states and logits follow from each token and its position, as they do in packed rows."""
    draw = torch.Generator().manual_seed(0)
    words, places, head = (torch.randn(1000, 8, generator=draw) for _ in range(3))
    return answer_losses(words[batch.ids] + places[batch.positions[0]], lambda hidden: hidden @ head.T, batch)


def test_a_token_is_right_where_the_model_finds_it_likeliest(tmp_path: Path) -> None:
    folder = str(write_random_model(tmp_path))
    encoder = open_encoder(folder, CollateSettings(), readout=ALL_LEARN.readout())
    encoded = [encode(encoder, answer) for answer in ANSWERS.values()]
    batch = prefix_batch([[entry] for entry in encoded], encoder)
    following = functional.pad(batch.ids, (0, 1))[:, 1:]
    certain, behind = (
        answer_losses(20 * functional.one_hot(ids, 1000).float(), lambda hidden: hidden, batch)
        for ids in (following, batch.ids)
    )
    assert torch.equal(certain.right, certain.tokens.to(certain.right.dtype))
    assert float(certain.sums.max()) < 1e-3
    assert behind.right.sum() == 0


def test_a_conversation_without_a_prompt_is_told_from_its_second_token_on(tmp_path: Path) -> None:
    encoder = open_encoder(str(write_random_model(tmp_path)), CollateSettings(), readout=ALL_LEARN.readout())
    bare = Encoded("", np.array([1, 2, 3]), ())
    assert losses_of_places(prefix_batch([[bare]], encoder)).tokens.tolist() == [2]


def test_a_folder_without_a_language_head_is_refused(tmp_path: Path) -> None:
    folder = write_family(tmp_path / "model", "llama")
    new_reward_model(folder, "float32", seed=0).backbone.save_pretrained(folder)
    with pytest.raises(StoreError, match=r"lm_head\.weight"):
        LanguageModel(folder, "float32", ALL_LEARN)
