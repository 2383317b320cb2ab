"""What a benchmark's official score is made of: the category that counts a row, and whether there is an Acc+."""

import re
from collections.abc import Callable

from dt2it_ray.data.formats import mm_rlhf_rewardbench, multimodal_rewardbench, vl_rewardbench

VL_HALLUCINATION = ("RLAIF", "RLHF", "hallucination")
VL_REASONING = ("mathverse", "mmmu")


def vl_rewardbench_category(item: str, released: str = "") -> str:
    """By the id up to its first `_` or `-`, case-sensitive: cal.py of vl-rewardbench/VL_RewardBench.

    An id without separator is its own prefix. What is neither hallucination nor reasoning is general.
    """
    prefix = re.split("[_-]", item, maxsplit=1)[0]
    if prefix in VL_HALLUCINATION:
        return "hallucination"
    return "reasoning" if prefix in VL_REASONING else "general"


def multimodal_rewardbench_category(item: str, released: str) -> str:
    """The released category; safety and reasoning are split by the id: 2_get_accuracy.py of multimodal_rewardbench."""
    if released == "safety":
        return "safety/bias" if item.lower().startswith("pairs") else "safety/toxicity"
    if released == "reasoning":
        return "reasoning/math" if item.lower().startswith("math") else "reasoning/coding"
    return released


def mm_rlhf_rewardbench_category(item: str, released: str) -> str:
    """The first component of the image or video path, which the reader gives as the released category.

    The official script looks for a category anywhere in the path and so errs on `/runs/short-run/mcq/x.png`.
    """
    return released


CATEGORY_RULES: dict[str, Callable[[str, str], str]] = {
    vl_rewardbench.NAME: vl_rewardbench_category,
    multimodal_rewardbench.NAME: multimodal_rewardbench_category,
    mm_rlhf_rewardbench.NAME: mm_rlhf_rewardbench_category,
}
"""By benchmark: (the row's own id, the category in the file) -> the category of the official score."""

WITH_ACC_PLUS = frozenset({mm_rlhf_rewardbench.NAME})
"""Benchmarks whose pairs of one id are one question. Elsewhere Acc+ means nothing: VL-RewardBench repeats 25 ids."""
