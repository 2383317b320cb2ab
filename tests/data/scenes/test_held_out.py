import collections
import functools
from typing import Any

import pytest

from dt2it_ray.data.scenes.held_out import BENCHMARKS, MM_RLHF, MULTIMODAL, VL, benchmark_row
from dt2it_ray.data.scenes.pair_groups import CATEGORIES, SIZES, place_of
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.schema import BENCHMARK_ROWS
from dt2it_ray.rules.benchmarks import CATEGORY_RULES

ROWS = 240


@functools.cache
def rows_of(source: str) -> list[dict[str, Any]]:
    return [benchmark_row(f"p{number}", source, 0, number) for number in range(ROWS)]


def texts_of(row: dict[str, Any]) -> tuple[str, str]:
    """The better and the worse answer as the label has them."""
    texts = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    return texts[row["labels"][0]["chosen_id"]], texts[row["labels"][0]["rejected_id"]]


def count_by_category(source: str) -> collections.Counter[str]:
    return collections.Counter(CATEGORY_RULES[source](row["item"], row["category"]) for row in rows_of(source))


@pytest.mark.parametrize("source", BENCHMARKS)
def test_labels_are_true_and_columns_those_of_benchmarks(source: str) -> None:
    for row in rows_of(source):
        assert sorted(row) == sorted(BENCHMARK_ROWS.names)
        truth = Truth.from_json(row["scene"])
        better, worse = (truth.grade(row["question"], row["language"], text) for text in texts_of(row))
        assert better.quality > worse.quality
        assert row["labels"][0]["planted_flip"] is False


@pytest.mark.parametrize("source", BENCHMARKS)
def test_length_tells_nothing_of_truth(source: str) -> None:
    lengths = [(len(better), len(worse)) for better, worse in map(texts_of, rows_of(source))]
    longer = sum((better > worse) + (better == worse) / 2 for better, worse in lengths)
    assert longer / ROWS == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("source", [VL, MULTIMODAL])
def test_positions_are_balanced_in_all_and_by_category(source: str) -> None:
    first: dict[str, list[bool]] = collections.defaultdict(list)
    for row in rows_of(source):
        category = CATEGORY_RULES[source](row["item"], row["category"])
        first[category].append(row["answers"][0]["answer_id"] == row["labels"][0]["chosen_id"])
    assert sum(sum(flags) for flags in first.values()) == ROWS // 2
    assert all(sum(flags) == len(flags) / 2 for flags in first.values())


def test_mm_rlhf_shows_the_better_answer_first_as_released() -> None:
    assert all(row["answers"][0]["answer_id"] == row["labels"][0]["chosen_id"] for row in rows_of(MM_RLHF))


def test_ids_fall_into_every_category_of_the_official_scores() -> None:
    assert count_by_category(VL) == {"hallucination": 144, "reasoning": 60, "general": 36}
    assert set(count_by_category(MULTIMODAL)) == {
        "open_generation/correctness_task",
        "open_generation/preference_task",
        "knowledge",
        "reasoning/math",
        "reasoning/coding",
        "safety/bias",
        "safety/toxicity",
        "vqa",
    }
    assert set(count_by_category(MM_RLHF)) == set(CATEGORIES)


def test_some_ids_of_vl_rewardbench_stand_twice_as_in_the_release() -> None:
    items = collections.Counter(row["item"] for row in rows_of(VL))
    assert collections.Counter(items.values()) == {1: ROWS - 8, 2: 4}
    assert {row["reference"] is None for row in rows_of(VL) if "mathverse" in row["item"]} == {False}


def test_pairs_of_a_group_share_prompt_and_image_and_differ() -> None:
    groups: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for row in rows_of(MM_RLHF):
        groups[row["group"]].append(row)
    assert collections.Counter(len(group) for group in groups.values()) == {2: 20, 3: 40, 4: 20}
    for group in groups.values():
        assert len({(row["question"], row["images"][0]["bytes"], row["category"]) for row in group}) == 1
        assert len({texts_of(row) for row in group}) == len(group)
    long = [group for group in groups.values() if group[0]["category"] != "mcq" and len(group) > 2]
    assert all({texts_of(row)[0] for row in group} & {texts_of(row)[1] for row in group} for group in long)


def test_places_follow_the_sizes_of_groups() -> None:
    places = [place_of(number) for number in range(2 * sum(SIZES))]
    assert [place.group for place in places[:12]] == [0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]
    assert [place.pair for place in places[:6]] == [0, 1, 0, 1, 2, 0]
    assert places[12].group == 4
    combinations = {(place_of(number).category, place_of(number).group % 4) for number in range(48)}
    assert len(combinations) == 16
