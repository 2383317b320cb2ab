"""Four noisy open data sets: pairs whose labels, styles and wording have the defects that their names promise."""

import random
from collections.abc import Sequence
from typing import Any

from dt2it_ray.data.ids import answer_id, pair_id
from dt2it_ray.data.scenes.pair_plans import (
    Dress,
    Gap,
    Plan,
    draw_dress,
    even_dresses,
    plan_pair,
    plan_true,
    plan_wrong,
    write_plans,
)
from dt2it_ray.data.scenes.prompts import Asked, draw_prompt, prompt_row
from dt2it_ray.data.scenes.scene import drawer

LABEL_FLIPS, STYLE_BIAS, TEXT_SHORTCUT, CLEAN = "label_flips", "style_bias", "text_shortcut", "clean"
OPEN_SETS = (LABEL_FLIPS, STYLE_BIAS, TEXT_SHORTCUT, CLEAN)
"""
| set | defect |
|---|---|
| label_flips | labels are flipped at random; style tells nothing |
| style_bias | the answer that is labelled as better is the long one in `BIAS_SHARE` of the pairs, right or wrong |
| text_shortcut | the wrong answer is the hedged one in `SHORTCUT_SHARE` of the pairs, else the right one is |
| clean | none |
"""
BIAS_SHARE = 0.8
SHORTCUT_SHARE = 0.85
GAPS = {Gap.MAIN: 0.614, Gap.EXTRA: 0.257, Gap.MARRED: 0.129}
"""Shares among the prompts with one pair. They have 7 of 9 pairs, so that 0.2 of all pairs differ in an extra claim
only, and in 0.1 the better answer makes a false one."""
LONG, SHORT, FRANK = ("verbose", "markdown"), ("terse", "hedged"), ("terse", "verbose", "markdown")
MIDDLING = Dress("markdown", 1)
"""Longer than a short answer, shorter than a long one with two extra claims."""


def open_row(prompt: str, source: str, seed: int, number: int, flips: Sequence[bool]) -> dict[str, Any]:
    """The row of a prompt with one label per entry of `flips`, wrong where it says so.

    One flip gives two answers. Two give three, the best of which is in both pairs. Answers are in the order of their
    ids, which tell nothing.
    """
    asked = draw_prompt(f"open {source} {seed} {number}")
    draw = drawer("pairs", asked.seed)
    plans = _plan_one(asked, source, flips[0], draw) if len(flips) == 1 else _plan_many(asked, source, flips, draw)
    texts = write_plans(asked, plans)
    answers = [{"answer_id": answer_id(prompt, text), "text": text} for text in texts]
    best, *worse = (answer["answer_id"] for answer in answers)
    labels = [_label(source, best, other, flip) for other, flip in zip(worse, flips, strict=True)]
    return prompt_row(prompt, source, asked, sorted(answers, key=lambda answer: answer["answer_id"]), labels)


def label_of(source: str, chosen: str, rejected: str, planted_flip: bool) -> dict[str, Any]:
    """A label that says `chosen`, whether that is true or not."""
    return {
        "pair_id": pair_id(source, chosen, rejected),
        "chosen_id": chosen,
        "rejected_id": rejected,
        "planted_flip": planted_flip,
    }


def _label(source: str, better: str, worse: str, flip: bool) -> dict[str, Any]:
    chosen, rejected = (worse, better) if flip else (better, worse)
    return label_of(source, chosen, rejected, flip)


def _plan_one(asked: Asked, source: str, flip: bool, draw: random.Random) -> Sequence[Plan]:
    (gap,) = draw.choices(list(GAPS), list(GAPS.values()))
    return plan_pair(asked, gap, _dresses(source, gap, flip, draw), draw)


def _plan_many(asked: Asked, source: str, flips: Sequence[bool], draw: random.Random) -> Sequence[Plan]:
    """The right answer, then wrong ones with different values as long as there are any."""
    values = draw.sample(asked.question.false_values, len(asked.question.false_values))
    best, shortcut = draw_dress(draw), draw.random() < SHORTCUT_SHARE
    if source == STYLE_BIAS:
        best = MIDDLING
    if source == TEXT_SHORTCUT:
        best = draw_dress(draw, FRANK if shortcut else ("hedged",))
    plans = [plan_true(asked, best)]
    for place, flip in enumerate(flips):
        dress = draw_dress(draw)
        if source == STYLE_BIAS:
            worse_is_long = _follows_bias(draw) == flip
            dress = Dress(draw.choice(LONG), 2) if worse_is_long else Dress(draw.choice(SHORT), 0)
        if source == TEXT_SHORTCUT:
            dress = draw_dress(draw, ("hedged",) if shortcut else FRANK)
        plans.append(plan_wrong(values[place % len(values)], dress))
    return plans


def _dresses(source: str, gap: Gap, flip: bool, draw: random.Random) -> tuple[Dress, Dress]:
    """How the better and the worse answer of a pair look."""
    if source == STYLE_BIAS:
        return _biased_dresses(gap, _follows_bias(draw) != flip, draw)
    if source == TEXT_SHORTCUT:
        return _telling_dresses(gap, draw)
    return even_dresses(gap, draw)


def _follows_bias(draw: random.Random) -> bool:
    return draw.random() < BIAS_SHARE


def _biased_dresses(gap: Gap, better_is_long: bool, draw: random.Random) -> tuple[Dress, Dress]:
    """One long, one short answer. A short answer has an extra claim only where the gap needs it to be a false one."""
    long, short, marred = Dress(draw.choice(LONG), 2), Dress(draw.choice(SHORT), 0), Dress("hedged", 1)
    if better_is_long:
        return long, marred if gap is Gap.EXTRA else short
    return marred if gap is Gap.MARRED else short, long


def _telling_dresses(gap: Gap, draw: random.Random) -> tuple[Dress, Dress]:
    """One hedged answer, mostly the worse one; none of another style is hedged."""
    if gap is not Gap.MAIN:
        hedged, frank = Dress("hedged", 1), Dress(draw.choice(LONG), 1)
    else:
        hedged, frank = draw_dress(draw, ("hedged",)), draw_dress(draw, FRANK)
    return (frank, hedged) if draw.random() < SHORTCUT_SHARE else (hedged, frank)
