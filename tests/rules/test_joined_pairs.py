"""How preferences of one prompt, told row by row, become its answers and labels."""

import pytest

from dt2it_ray.data.ids import answer_id, pair_id
from dt2it_ray.rules.joined_pairs import PlantedFlips, join_pairs

ROWS = [{"chosen": "best", "rejected": "good"}, {"chosen": "good", "rejected": "bad"}]


def name_of(text: str) -> str:
    return answer_id("p", text)


def test_every_answer_stands_once_and_every_pair_keeps_its_direction() -> None:
    joined = join_pairs("p", "s", ROWS)
    assert {answer["answer_id"]: answer["text"] for answer in joined.answers} == {
        name_of(text): text for text in ("best", "good", "bad")
    }
    assert [answer["answer_id"] for answer in joined.answers] == sorted(map(name_of, ("best", "good", "bad")))
    sides = {(label["chosen_id"], label["rejected_id"], label["planted_flip"]) for label in joined.labels}
    assert sides == {(name_of("best"), name_of("good"), None), (name_of("good"), name_of("bad"), None)}
    assert {label["pair_id"] for label in joined.labels} == {
        pair_id("s", name_of("best"), name_of("good")),
        pair_id("s", name_of("good"), name_of("bad")),
    }


def test_of_a_pair_that_comes_again_the_first_label_counts() -> None:
    again = [*ROWS, {"chosen": "good", "rejected": "best"}]
    assert join_pairs("p", "s", again) == join_pairs("p", "s", ROWS)


@pytest.mark.parametrize(("share", "flipped"), [(0.0, False), (1.0, True)])
def test_planted_flips_turn_labels_round_and_say_so(share: float, flipped: bool) -> None:
    for plain, planted in zip(
        join_pairs("p", "s", ROWS).labels, join_pairs("p", "s", ROWS, PlantedFlips(share, 0)).labels, strict=True
    ):
        assert planted["planted_flip"] is flipped
        assert planted["pair_id"] == plain["pair_id"]
        assert (planted["chosen_id"] == plain["rejected_id"]) is flipped


def test_flips_are_drawn_by_the_pairs_name_and_the_seed() -> None:
    names = [f"pair-{place}" for place in range(2000)]
    hits = [[PlantedFlips(0.3, seed).hits(name) for name in names] for seed in (0, 0, 1)]
    assert hits[0] == hits[1] != hits[2]
    assert sum(hits[0]) == pytest.approx(600, abs=70)
