"""Sets of pairs in which a style tells the wrong answer as often as a set says: for training, and for tests apart."""

from collections.abc import Collection
from typing import Any

from dt2it_ray.data.ids import answer_id
from dt2it_ray.data.scenes.claims import FAMILIES
from dt2it_ray.data.scenes.open_sets import FRANK, label_of
from dt2it_ray.data.scenes.pair_plans import Gap, draw_dress, plan_pair, write_plans
from dt2it_ray.data.scenes.prompts import draw_prompt, prompt_row
from dt2it_ray.data.scenes.scene import drawer

HEDGED = "hedged"
"""The style of one answer of every pair; the other is frank."""


def shortcut_row(
    prompt: str, source: str, seed: int, number: int, share: float, families: Collection[str] = FAMILIES
) -> dict[str, Any]:
    """The row of BENCHMARK_ROWS with this number: one pair with a true label, whose main claims differ, about a
    question of one of the families.

    The wrong answer is the hedged one in exactly `share` of any run of numbers, up to rounding, else the right one is;
    what the pair asks does not depend on that.
    """
    asked = draw_prompt(f"shortcut {source} {seed} {number}", families)
    draw = drawer("pairs", asked.seed)
    hedged, frank = draw_dress(draw, (HEDGED,)), draw_dress(draw, FRANK)
    dresses = (frank, hedged) if follows(number, share) else (hedged, frank)
    better, worse = write_plans(asked, plan_pair(asked, Gap.MAIN, dresses, draw))
    answers = [{"answer_id": answer_id(prompt, text), "text": text} for text in (better, worse)]
    label = label_of(source, answers[0]["answer_id"], answers[1]["answer_id"], planted_flip=False)
    row = prompt_row(prompt, source, asked, sorted(answers, key=lambda answer: answer["answer_id"]), [label])
    return {**row, "item": prompt, "group": prompt}


def follows(number: int, share: float) -> bool:
    """Whether the pair with this number follows the shortcut."""
    return int((number + 1) * share + 1e-9) > int(number * share + 1e-9)
