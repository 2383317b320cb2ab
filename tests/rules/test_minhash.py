"""Signatures tell what part of their wording two texts share, and bands find the pairs that share most."""

import random

import numpy as np
import pytest

from dt2it_ray.rules.minhash import alike_groups, have_alike, signature_of

LETTERS = "abcdefgh "


def signatures(texts: list[str], permutations: int = 64) -> np.ndarray:
    return np.array([np.frombuffer(signature_of(text, 4, permutations), "<u4") for text in texts])


def shared(one: str, other: str) -> float:
    grams = [{text[start : start + 4] for start in range(len(text) - 3)} for text in (one, other)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def test_the_share_of_equal_values_is_the_share_of_equal_shingles() -> None:
    draw, missed = random.Random(1), []
    for _ in range(60):
        one = "".join(draw.choices(LETTERS, k=120))
        other = one[: (kept := draw.randint(0, 120))] + "".join(draw.choices(LETTERS, k=120 - kept))
        values = signatures([one, other], 256)
        missed.append((values[0] == values[1]).mean() - shared(one, other))
    assert abs(np.mean(missed)) < 0.02
    assert np.std(missed) < 0.05


def test_a_reworded_question_is_found_and_another_is_not() -> None:
    asked = "How many red cars stand in front of the old station on the left side of the picture?"
    texts = [asked, asked.replace("picture?", "picture, please?"), "What does the sign above the door of the shop say?"]
    rows = signatures(texts)
    assert alike_groups(rows, 0.7).tolist() == [0, 0, 2]
    assert have_alike(rows, rows[1:2], 0.7).tolist() == [True, True, False]


def test_nearly_every_pair_above_the_threshold_is_found() -> None:
    draw = random.Random(2)
    ones = ["".join(draw.choices(LETTERS, k=200)) for _ in range(200)]
    others = [one[:188] + "".join(draw.choices(LETTERS, k=12)) for one in ones]
    assert have_alike(signatures(ones), signatures(others), 0.8).sum() >= 190
    assert not have_alike(signatures(ones[:100]), signatures(others[100:]), 0.8).any()


def test_many_texts_from_one_template_are_one_group() -> None:
    texts = [f"Look at the picture with care and answer in one sentence what is at place {n}" for n in range(500)]
    assert set(alike_groups(signatures(texts), 0.7).tolist()) == {0}


@pytest.mark.parametrize("text", ["", "a", "红", "ab\ud800"])
def test_short_and_odd_texts_have_a_signature_of_their_own(text: str) -> None:
    assert len(signature_of(text, 4, 32)) == 128
    assert signature_of(text, 4, 32) != signature_of(text + "x", 4, 32)


def test_chinese_texts_are_cut_finer() -> None:
    one, other = "图中有几辆红色的汽车停在车站前面", "图中有几辆红色的汽车停在商店前面"
    coarse, fine = (
        np.mean(np.equal(*(np.frombuffer(signature_of(text, size, 256), "<u4") for text in (one, other))))
        for size in (8, 4)
    )
    assert fine > coarse + 0.1
