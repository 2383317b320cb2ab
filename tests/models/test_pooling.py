"""The mean is over the answer's tokens, whatever row and whatever padding they stand in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dt2it_ray.data.chat import answered
from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.pooling import pool
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_settings import ReadoutSettings
from tests.models.random_model import picture, write_random_model

TEXTS = ("There are three red circles.", "There are none.", "", "three", "\nthree")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = write_random_model(tmp_path_factory.mktemp("pooling"))
    return open_encoder(str(folder), CollateSettings(), readout=ReadoutSettings(pooling="mean"))


def encode(encoder: Encoder, answer: str, *images: bytes) -> Encoded:
    turns = answered("How many red circles are in the image?", len(images), answer)
    encoded = encoder.encode(Conversation(tuple(turns), images))
    assert isinstance(encoded, Encoded)
    return encoded


@pytest.mark.parametrize("answer", TEXTS)
def test_the_answers_tokens_are_all_behind_the_opened_turn(encoder: Encoder, answer: str) -> None:
    for images in ((picture(1), picture(2)), ()):
        encoded = encode(encoder, answer, *images)
        told = encoder.tokenizer.decode(encoded.ids[encoded.start :])
        assert told == f"{answer}<|im_end|>\n"
        assert encoder.tokenizer.decode(encoded.ids[: encoded.start]).endswith("<|im_start|>assistant\n")


def test_tokens_that_nobody_asks_for_are_not_looked_for(encoder: Encoder, tmp_path: Path) -> None:
    last = Encoder(encoder.tokenizer, encoder.image_processor, CollateSettings())
    assert encode(last, "three").start == 0


def test_means_of_packed_and_padded_rows_are_those_of_each_conversation_alone(encoder: Encoder) -> None:
    groups = [[encode(encoder, text, picture(1)) for text in TEXTS], [encode(encoder, "three")]]
    batch = prefix_batch(groups, encoder)
    # A hidden state that tells its token and its position.
    hidden = torch.stack([batch.ids.double(), batch.positions[0].double()], dim=-1)
    means = pool(hidden, batch, "mean")
    for mean, encoded in zip(means, [entry for group in groups for entry in group], strict=True):
        alone = prefix_batch([[encoded]], encoder)
        expected = [encoded.ids[encoded.start :].mean(), alone.positions[0, 0, encoded.start :].double().mean()]
        assert mean.tolist() == pytest.approx(np.array(expected).tolist())
    assert pool(hidden, batch, "last")[:, 0].tolist() == [group.ids[-1] for row in groups for group in row]


def test_a_conversation_that_ends_with_the_opened_turn_is_read_at_its_last_token(encoder: Encoder) -> None:
    ids = np.array([5, 6, 7])
    rows = [[Encoded("p", ids, (), start=3), Encoded("p", np.array([5, 6, 7, 8]), (), start=3)]]
    batch = prefix_batch(rows, encoder)
    means = pool(batch.ids[..., None].double(), batch, "mean")
    assert means.flatten().tolist() == [7, 8]
