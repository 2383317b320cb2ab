import pytest

from dt2it_ray.data.formats.benchmarks import BENCHMARK_FORMATS
from dt2it_ray.rules.benchmarks import CATEGORY_RULES, WITH_ACC_PLUS


def test_every_benchmark_format_has_a_rule() -> None:
    assert set(CATEGORY_RULES) == set(BENCHMARK_FORMATS)
    assert set(BENCHMARK_FORMATS) > WITH_ACC_PLUS


@pytest.mark.parametrize(
    ("item", "category"),
    [
        ("RLAIF-V-12", "hallucination"),
        ("RLHF-V_3", "hallucination"),
        ("hallucination_pair-4", "hallucination"),
        ("mathverse_77", "reasoning"),
        ("mmmu-1", "reasoning"),
        ("mmmu", "reasoning"),
        ("wildvision-battle-5", "general"),
        ("LRVInstruction", "general"),
        ("rlaif-v-12", "general"),
        ("MMMU_1", "general"),
        ("mmmupro_1", "general"),
        ("", "general"),
    ],
)
def test_vl_rewardbench_counts_by_the_prefix_of_the_id(item: str, category: str) -> None:
    assert CATEGORY_RULES["vl_rewardbench"](item, "") == category


@pytest.mark.parametrize(
    ("item", "released", "category"),
    [
        ("pairs_3", "safety", "safety/bias"),
        ("PAIRS_3", "safety", "safety/bias"),
        ("toxic_3", "safety", "safety/toxicity"),
        ("mathvista_9", "reasoning", "reasoning/math"),
        ("EMMA-Coding_9", "reasoning", "reasoning/coding"),
        ("mathvista_9", "vqa", "vqa"),
        ("nocaps_9", "open_generation/correctness_task", "open_generation/correctness_task"),
    ],
)
def test_multimodal_rewardbench_splits_safety_and_reasoning_by_the_id(item: str, released: str, category: str) -> None:
    assert CATEGORY_RULES["multimodal_rewardbench"](item, released) == category


def test_mm_rlhf_rewardbench_counts_by_the_released_folder() -> None:
    assert CATEGORY_RULES["mm_rlhf_rewardbench"]("short-mcq", "safety") == "safety"
