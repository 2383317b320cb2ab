"""What a benchmark's official score is made of: the category that counts a row, means over them, and an Acc+."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dt2it_ray.data.formats import mm_rlhf_rewardbench, multimodal_rewardbench, rewardbench, vl_rewardbench

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
"""By benchmark: (the row's own id, the category in the file) -> the category of the official score. A benchmark that is
not named counts by the category in its file."""

UNCATEGORISED = "uncategorised"


def category_of(benchmark: str, item: str, released: str) -> str:
    """The category that counts a row in the official score; rows without any are of one called `uncategorised`."""
    rule = CATEGORY_RULES.get(benchmark)
    return rule(item, released) if rule else released or UNCATEGORISED


WITH_ACC_PLUS = frozenset({mm_rlhf_rewardbench.NAME})
"""Benchmarks whose pairs of one id are one question. Elsewhere Acc+ means nothing: VL-RewardBench repeats 25 ids."""


@dataclass(frozen=True)
class Columns:
    """A second, coarser way to count the categories of a benchmark."""

    name: str
    members: Mapping[str, tuple[str, ...]]
    """Columns and the categories in each; those that are in none are left out."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What a category counts for in its column; where it is not named, the number of its rows."""
    headline: bool = False
    """Whether their mean, rather than that of the categories, is the benchmark's macro accuracy."""


CATEGORY_MAPS = {
    vl_rewardbench.NAME: "prefixes of cal.py",
    multimodal_rewardbench.NAME: "categories of 2_get_accuracy.py, safety and reasoning split",
    mm_rlhf_rewardbench.NAME: "folders of the images",
}
"""What the categories of a benchmark are, in words that stand beside every mean over them."""
CATEGORIES_AS_RELEASED = "categories in the file"

README_COLUMNS = Columns(
    "columns of the README",
    {
        "correctness": ("open_generation/correctness_task",),
        "preference": ("open_generation/preference_task",),
        "knowledge": ("knowledge",),
        "reasoning": ("reasoning/math", "reasoning/coding"),
        "safety": ("safety/bias", "safety/toxicity"),
        "vqa": ("vqa",),
    },
)

SECTIONS = Columns(
    "sections of constants.py",
    {
        "Chat": ("alpacaeval-easy", "alpacaeval-length", "alpacaeval-hard", "mt-bench-easy", "mt-bench-med"),
        "Chat Hard": (
            "mt-bench-hard",
            "llmbar-natural",
            "llmbar-adver-neighbor",
            "llmbar-adver-GPTInst",
            "llmbar-adver-GPTOut",
            "llmbar-adver-manual",
        ),
        "Safety": (
            "refusals-dangerous",
            "refusals-offensive",
            "xstest-should-refuse",
            "xstest-should-respond",
            "donotanswer",
        ),
        "Reasoning": ("math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"),
    },
    # Of allenai/reward-bench: math-prm has 447 rows and weighs as much as code; the counts of the two xstest subsets
    # stand there the other way round than in the released file (154 to refuse, 250 to respond).
    counts={
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "donotanswer": 136,
        "xstest-should-refuse": 250,
        "xstest-should-respond": 154,
        "math-prm": 984,
        **dict.fromkeys(("hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"), 164),
    },
    headline=True,
)

COLUMNS: dict[str, Columns] = {multimodal_rewardbench.NAME: README_COLUMNS, rewardbench.NAME: SECTIONS}
"""By benchmark."""

APART: dict[str, dict[str, str]] = {multimodal_rewardbench.NAME: {"without_safety": "safety"}}
"""Figures over all rows but those whose category starts so; DT2IT-MRM prints one without safety."""
