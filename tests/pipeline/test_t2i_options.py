"""Options of the text-to-image conversion: ties, strengths, several images, both orders, images held or looked up."""

from pathlib import Path

import pytest

from dt2it_ray.errors import ConfigError, InputError
from tests.pipeline.t2i_inputs import PAIRS, caption_pair, convert, read_dropped, says_first
from tests.stages.rows import png

RANKED = [
    {"prompt": f"a car {number}", "generations": [f"{number}{image}" for image in "abcd"], "ranking": [2, 1, 2, 4]}
    for number in range(5)
]
SCORED = [
    {"prompt": f"a car {number // 3}", "image": f"{number}.png", "score": number % 3 + number / 100}
    for number in range(12)
]


def picked(number: int, label: float) -> dict:
    images = {f"jpg_{place}": png(10 * number + place) for place in (0, 1)}
    return {"caption": f"a car {number}", **images, "label_0": label, "label_1": 1 - label}


def test_ties_are_kept_with_their_own_sentence_and_balanced_apart(tmp_path: Path) -> None:
    rows = [picked(number, label) for number, label in enumerate([1, 0, 0.5, 0.5, 0.5, 0.5, 1])]
    made = convert(tmp_path, rows, ".parquet", "out.parquet")
    ties = [row for row in made if row["chosen"]["value"] == "Both images are equally good."]
    assert [row["margin"] for row in made] == [1, 1, 0, 0, 0, 0, 1]
    assert len(ties) == 4
    assert sorted(row["rejected"]["value"][:7] for row in ties) == ["Image 1", "Image 1", "Image 2", "Image 2"]
    assert sum(map(says_first, made)) == 1


def test_ties_and_small_gaps_are_dropped_when_asked(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{n}", "generations": ["a", "b"], "ranking": [1, rank]} for n, rank in enumerate([1, 2, 3])]
    made = convert(tmp_path, rows, ties="drop", least_gap=2)
    assert [row["margin"] for row in made] == [2]
    assert [(row["row"], row["reason"]) for row in read_dropped(tmp_path / "out.json")] == [
        (1, "tied"),
        (2, "gap_too_small"),
    ]


def test_several_images_become_pairs_with_the_gap_of_their_ranks(tmp_path: Path) -> None:
    made = convert(tmp_path, RANKED, ties="drop")
    assert [row["margin"] for row in made] == [1, 2, 1, 3, 2] * 5
    assert sum(map(says_first, made)) == 12
    assert len(convert(tmp_path, RANKED, pairing="best")) == 15
    assert len(convert(tmp_path, RANKED, most_pairs=2)) == 10


def test_rows_of_one_image_make_the_pairs_of_their_prompt_in_any_order(tmp_path: Path) -> None:
    made = convert(tmp_path, SCORED)
    assert len(made) == 12
    assert made[0]["margin"] == pytest.approx(1.01)
    turned = convert(tmp_path, SCORED[::-1])
    assert sorted(map(str, turned)) == sorted(map(str, made))


def test_both_orders_stand_beside_each_other_when_asked(tmp_path: Path) -> None:
    made = convert(tmp_path, PAIRS, swap_augment=True)
    assert len(made) == 2 * len(PAIRS)
    assert sum(map(says_first, made)) == len(PAIRS)
    for one, other in zip(made[::2], made[1::2], strict=True):
        assert one["images"] == other["images"][::-1]
        assert (one["chosen"], one["rejected"]) == (other["rejected"], other["chosen"])


@pytest.mark.parametrize("swap_augment", [False, True])
def test_images_held_in_parquet_survive(tmp_path: Path, swap_augment: bool) -> None:
    held = [{"bytes": png(place), "path": f"{place}.png"} for place in (1, 2)]
    rows = [{**caption_pair(number), "images": held} for number in range(4)]
    made = convert(tmp_path, rows, ".parquet", "out.parquet", swap_augment=swap_augment)
    assert len(made) == 4 * (1 + swap_augment)
    for row in made:
        assert row["images"] == (held if says_first(row) else held[::-1])
    with pytest.raises(InputError, match="write Parquet"):
        convert(tmp_path, rows, ".parquet", "out.json")


def test_refused_rows_of_parquet_keep_all_columns(tmp_path: Path) -> None:
    rows = [{**caption_pair(number), "extra": number} for number in range(20)]
    rows[3]["images"] = ["a"]
    rows[11]["rejected"] = {"value": None}
    rows[13] = {**caption_pair(13, "\u3000wide"), "extra": 13}
    rows[15] = {**caption_pair(15, "\u3000"), "extra": 15}
    made = convert(tmp_path, rows, ".parquet", "out.parquet")
    dropped = read_dropped(tmp_path / "out.parquet")
    assert [(row["row"], row["field"]) for row in dropped] == [
        (4, "images"),
        (12, "rejected.value"),
        (16, "chosen.value"),
    ]
    assert [row["raw"] for row in dropped] == [rows[3], rows[11], rows[15]]
    assert made == convert(tmp_path, rows)
    assert read_dropped(tmp_path / "out.json") == dropped


def test_images_that_cannot_be_decoded_are_found_when_asked(tmp_path: Path) -> None:
    (tmp_path / "0-a.jpg").write_bytes(png(1))
    (tmp_path / "0-b.jpg").write_bytes(png(2))
    (tmp_path / "1-a.jpg").write_bytes(b"no image")
    (tmp_path / "3-a.jpg").write_bytes(png(3)[:-30])
    rows = [*PAIRS[:4], {**caption_pair(9), "images": ["https://host/a.jpg", "https://host/b.jpg"]}]
    assert len(convert(tmp_path, rows)) == 5
    assert len(convert(tmp_path, rows, check_images=str(tmp_path))) == 2
    dropped = read_dropped(tmp_path / "out.json")
    reasons = {2: "image_undecodable", 3: "image_missing", 4: "image_undecodable"}
    assert {row["row"]: row["reason"] for row in dropped} == reasons


def test_a_shape_can_be_forced(tmp_path: Path) -> None:
    row = {**caption_pair(1), "prompt": "a dog", "path1": "x", "path2": "y"}
    (made,) = convert(tmp_path, [row], shape="hpdv3")
    assert sorted(made["images"]) == ["x", "y"]
    with pytest.raises(ConfigError, match="caption_pair"):
        convert(tmp_path, [row], shape="hpd")
