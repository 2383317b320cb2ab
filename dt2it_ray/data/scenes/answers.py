"""How an answer is written: its truth, its extra claims, its style and its language are set apart."""

import random
from collections.abc import Sequence

from dt2it_ray.data.scenes.claims import Claim, balanced, false_values, true_claims
from dt2it_ray.data.scenes.questions import Question
from dt2it_ray.data.scenes.scene import Scene, drawer
from dt2it_ray.data.scenes.wording import bare_text, claim_text

STYLES = ("terse", "verbose", "markdown", "hedged")
_OPENERS = {
    "en": ("Looking at the image, ", "In this picture, ", "As the image shows, ", "Looking closely, "),
    "zh": ("从图片来看，", "仔细观察可以发现，", "根据这张图，", "我们可以看到，"),
}
_LINKS = {"en": ("Also, ", "In addition, ", "Besides, "), "zh": ("另外，", "此外，", "同时，")}
_HEDGES = {
    "en": (
        ("I think {}", "."),
        ("It seems that {}", ", but I am not sure."),
        ("{}", ", I believe."),
        ("Perhaps {}", "."),
    ),
    "zh": (("我觉得{}", "。"), ("看起来{}", "，不过不太确定。"), ("可能{}", "吧。"), ("我猜{}", "。")),
}
_HEADS = {"en": ("**Answer:** ", "### Answer\n", "- "), "zh": ("**答案：** ", "### 答案\n", "- ")}


def write_answer(
    scene: Scene,
    question: Question,
    value: str,
    style: str,
    language: str,
    extras: Sequence[Claim] = (),
    seed: int | str = 0,
) -> str:
    """An answer that says `value`, true or not, and then makes the extra claims; `seed` picks the wording.

    Terse and hedged answers have room for no extra claim and for one; more are left out.
    """
    draw = drawer("answer", scene.look, question.text, seed)
    main = question.claim(value)
    if style == "terse":
        return _terse(main, language, draw)
    sentence = claim_text(main, language, draw.randrange(2))
    more = [claim_text(claim, language, draw.randrange(2)) for claim in extras]
    if style == "hedged":
        return _hedged(sentence, more[:1], language, draw)
    if style == "verbose":
        return _verbose(_yes_no(main, language, draw), sentence, more, language, draw)
    return _markdown(sentence, more, language, draw)


def pick_extras(scene: Scene, question: Question, truths: Sequence[bool], seed: int | str) -> tuple[Claim, ...]:
    """Claims about other matters than the question's, one for each entry of `truths`, true or false as it says."""
    draw = drawer("extras", scene.look, question.text, seed)
    named = {question.subject, question.value}
    others = [
        claim
        for claim in balanced(true_claims(scene), draw)
        if claim.relation != question.relation and not named & {claim.subject, claim.value} - {""}
    ]
    draw.shuffle(others)
    extras, relations = [], set()
    for claim in others:
        if len(extras) == len(truths):
            break
        if claim.relation in relations:
            continue
        relations.add(claim.relation)
        true = truths[len(extras)]
        value = claim.value if true else draw.choice(false_values(scene, claim))
        extras.append(Claim(claim.relation, claim.subject, value))
    return tuple(extras)


def _terse(main: Claim, language: str, draw: random.Random) -> str:
    stop = "." if language == "en" else "。"
    if draw.random() < 0.7:
        return bare_text(main, language) + stop
    return claim_text(main, language, 0)


def _yes_no(main: Claim, language: str, draw: random.Random) -> str:
    if main.relation != "existence" or draw.random() < 0.5:
        return ""
    comma = ", " if language == "en" else "，"
    return bare_text(main, language) + comma


def _verbose(yes_no: str, sentence: str, more: list[str], language: str, draw: random.Random) -> str:
    first = (yes_no or draw.choice(_OPENERS[language])) + _after(sentence)
    links = draw.sample(_LINKS[language], len(_LINKS[language]))
    rest = [link + _after(extra) for link, extra in zip(links, more, strict=False)]
    return (" " if language == "en" else "").join([first, *rest])


def _markdown(sentence: str, more: list[str], language: str, draw: random.Random) -> str:
    head = draw.choice(_HEADS[language])
    return "\n".join([head + sentence, *(f"- {extra}" for extra in more)])


def _hedged(sentence: str, more: list[str], language: str, draw: random.Random) -> str:
    frame, end = draw.choice(_HEDGES[language])
    plain = sentence.rstrip(".。")
    first = frame.format(_after(plain) if frame[0] != "{" else plain) + end
    return (" " if language == "en" else "").join([first, *more])


def _after(sentence: str) -> str:
    """The sentence as it stands after an opener."""
    return sentence[0].lower() + sentence[1:]
