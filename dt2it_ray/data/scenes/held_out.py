"""Clean held-out benchmark rows whose ids and categories fit the released format that they are written in."""

from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.ids import answer_id
from dt2it_ray.data.scenes import pair_groups
from dt2it_ray.data.scenes.claims import FAMILIES
from dt2it_ray.data.scenes.open_sets import label_of
from dt2it_ray.data.scenes.pair_plans import Gap, even_dresses, plan_pair, write_plans
from dt2it_ray.data.scenes.prompts import Asked, draw_prompt, prompt_row
from dt2it_ray.data.scenes.scene import drawer
from dt2it_ray.data.scenes.wording import name

VL, MULTIMODAL, MM_RLHF = "vl_rewardbench", "multimodal_rewardbench", "mm_rlhf_rewardbench"
BENCHMARKS = (VL, MULTIMODAL, MM_RLHF)
REPEAT_EVERY = 50
"""One in this many rows of VL-RewardBench has the id of an earlier row, as 25 of its 1,250 released rows do."""


@dataclass(frozen=True)
class Kind:
    """Rows of one kind: how their ids start, the released category, what they ask, and what sets their pairs apart."""

    item: str
    category: str = ""
    families: tuple[str, ...] = FAMILIES
    gap: Gap = Gap.MAIN
    has_reference: bool = False


_RLAIF_V = Kind("RLAIF-V-", families=("existence", "colour"))
_RLHF_V = Kind("RLHF-V-", families=("existence", "position"), gap=Gap.EXTRA)
_POVID = Kind("hallucination_pair-", families=("existence", "count", "word"))
_MATHVERSE = Kind("mathverse_", families=("count", "chart"), has_reference=True)
_MMMU = Kind("mmmu-", families=("chart", "shape"), has_reference=True)
_WILDVISION = Kind("wildvision-battle-")
_VL_KINDS = (
    *(_POVID, _RLAIF_V, _MATHVERSE, _WILDVISION, _POVID, _RLHF_V, _MMMU, _POVID, _RLAIF_V, _MATHVERSE),
    *(_POVID, _RLAIF_V, _POVID, _WILDVISION, _RLHF_V, _MMMU, _POVID, _RLAIF_V, _MATHVERSE, _WILDVISION),
)
"""By turns: 12 of 20 rows are of the hallucination category, 5 of reasoning, 3 general."""
_MULTIMODAL_KINDS = (
    Kind("visitbench_", "open_generation/correctness_task"),
    Kind("nocaps_", "open_generation/correctness_task", ("existence", "count")),
    Kind("visitbench_", "open_generation/preference_task", gap=Gap.EXTRA),
    Kind("nocaps_", "open_generation/preference_task", ("existence", "count"), Gap.EXTRA),
    Kind("mmmu-s_", "knowledge", ("word", "shape")),
    Kind("mmmu-v_", "knowledge", ("word", "chart")),
    Kind("mathvista_", "reasoning", ("count", "chart")),
    Kind("EMMA-Coding_", "reasoning", ("chart",)),
    Kind("pairs_", "safety", ("colour", "position")),
    Kind("toxicity_", "safety", ("existence", "shape")),
    Kind("MMBench_", "vqa", ("colour", "shape", "position")),
    Kind("SEED-Bench_", "vqa", ("existence", "count", "position")),
)
"""By turns. `safety` and `reasoning` are split by the start of the id, as the official score does."""


def benchmark_row(prompt: str, source: str, seed: int, number: int) -> dict[str, Any]:
    """The row of BENCHMARK_ROWS with this number: one pair with a true label, the better answer first by turns."""
    if source == MM_RLHF:
        return _group_row(prompt, seed, number)
    kinds = _VL_KINDS if source == VL else _MULTIMODAL_KINDS
    kind = kinds[number % len(kinds)]
    repeats = source == VL and number % REPEAT_EVERY == REPEAT_EVERY - 1
    item = f"{kind.item}{number - len(kinds) if repeats else number}"
    asked = draw_prompt(f"held-out {source} {seed} {number}", kind.families)
    draw = drawer("pairs", asked.seed)
    better, worse = write_plans(asked, plan_pair(asked, kind.gap, even_dresses(kind.gap, draw), draw))
    # The number of kinds is even: without the number of the round, a kind would always have the same order.
    better_first = (number + number // len(kinds)) % 2 == 0
    row = _row(prompt, source, asked, (better, worse), better_first)
    reference = name(asked.question.value, asked.question.language) if kind.has_reference else None
    return {**row, "category": kind.category, "reference": reference, "item": item, "group": item}


def _group_row(prompt: str, seed: int, number: int) -> dict[str, Any]:
    place = pair_groups.place_of(number)
    families = pair_groups.families_of(place.category)
    asked = draw_prompt(f"held-out {MM_RLHF} {seed} {place.group}", families)
    row = _row(prompt, MM_RLHF, asked, pair_groups.write_group_pair(asked, place), better_first=True)
    return {**row, "category": place.category, "item": str(place.group), "group": str(place.group)}


def _row(prompt: str, source: str, asked: Asked, texts: tuple[str, str], better_first: bool) -> dict[str, Any]:
    better, worse = ({"answer_id": answer_id(prompt, text), "text": text} for text in texts)
    label = label_of(source, better["answer_id"], worse["answer_id"], planted_flip=False)
    return prompt_row(prompt, source, asked, [better, worse] if better_first else [worse, better], [label])
