import numpy as np

from dt2it_ray.rules.accuracy_bins import by_length_difference, by_strength


def test_bins_follow_which_answer_is_longer_and_by_how_much() -> None:
    lengths = np.array([[10, 10], [40, 10], [41, 10], [10, 40], [10, 2000], [1010, 10]])
    told = by_length_difference(np.array([1.0, 1, 0, 0.5, 1, np.nan]), lengths)
    assert [(e["chosen"], e["least"], e["most"], e["n"], e["correct"]) for e in told] == [
        ("shorter", 1001, None, 1, 1),
        ("shorter", 1, 30, 1, 0),
        ("equal", 0, 0, 1, 1),
        ("longer", 1, 30, 1, 1),
        ("longer", 31, 100, 1, 0),
        ("longer", 301, 1000, 1, 0),
    ]


def test_swapped_sides_fall_into_mirrored_bins() -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(0, 3000, size=(200, 2))
    credits = generator.integers(0, 2, size=200).astype(float)
    mirror = {"longer": "shorter", "shorter": "longer", "equal": "equal"}
    swapped = [entry | {"chosen": mirror[entry["chosen"]]} for entry in by_length_difference(credits, lengths[:, ::-1])]
    assert by_length_difference(credits, lengths) == swapped[::-1]


def test_strengths_are_cut_into_equally_large_bins_that_split_no_value() -> None:
    strengths = [1, 1, 1, 1, 2, 3, 4, None, -8]
    told = by_strength(np.array([1, 1, 0, 0, 1, 1, 0, 1, 1.0]), strengths)
    assert sum(entry["n"] for entry in told) == 8
    assert told[0] == {"least": 1.0, "most": 1.0, "n": 4, "correct": 2, "accuracy": 0.5}
    assert told[-1]["most"] == 8.0
    assert by_strength(np.array([1.0]), [None]) == []
