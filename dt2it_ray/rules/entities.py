"""Which things an answer names, found without a tagger, and which things of other texts could stand in their place."""

import re
from collections.abc import Iterator, Sequence

from dt2it_ray.rules.truth_words import COLOURS, MEASURES, NUMBERS_EN, NUMBERS_ZH, Term, any_of, matches

SIZES = ("big", "small", "large", "little", "tall", "short", "long", "young", "old", "new", "round", "dark", "bright")
NOT_THINGS = (
    *("answer", "image", "picture", "photo", "photograph", "question", "colour", "color", "shape", "value", "word"),
    *("number", "part", "side", "top", "bottom", "middle", "left", "right", "centre", "center", "upper", "lower"),
    *("same", "other", "first", "second", "third", "last", "most", "least", "not", "only", "very", "following"),
    *("tallest", "biggest", "smallest", "largest", "shortest", "written"),
)
"""Words after an article that are no things, or whose swap would say nothing."""
_BETWEEN = rf"(?:(?:{any_of((*COLOURS[0], *NUMBERS_EN, *SIZES))})[ -])*"
THING_EN = rf"\b(?:an?|the|no|{'|'.join(NUMBERS_EN)}) {_BETWEEN}([a-z]{{3,}})\b"
"""The word after an article or a number, with colours, numbers and sizes between them passed over."""
CAPITALS = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2,}(?![A-Za-z0-9])")
"""Names and written words."""
_LINK = "是在有没和与或的位也都了着吗呢吧"
_COUNTED = rf"(?:[{''.join(NUMBERS_ZH)}两几][{MEASURES}])"
_BEFORE = rf"(?:(?:^|[，。；：的有\n]){_COUNTED}?|{_COUNTED})"
THING_ZH = rf"{_BEFORE}(?:[\u4e00-\u9fff]色)?((?:(?![{_LINK}])[\u4e00-\u9fff]){{2,4}})(?=[{_LINK}，。；、！？\n]|$)"
"""Two to four characters between two that belong to no thing's name."""
NOT_THINGS_ZH = re.compile(r"[图从这那我请多几仔看可一两另此同根最什哪上下左右中]|颜色|形状|单词|数值|高度|.色$|看起来")
"""How Chinese words begin that are no things."""


def find_entities(text: str) -> list[Term]:
    """The things that a text names, each as it stands there, in the order of the text; nothing to swap them for yet."""
    return sorted(_find(text), key=lambda term: (term.start, term.end))


def swaps_for(entities: Sequence[Term], texts: Sequence[str], answer: str) -> list[Term]:
    """The entities of an answer with the things of the same kind that the texts name and the answer does not."""
    named = answer.lower()
    known = sorted({term.word for text in texts for term in find_entities(text) if term.word.lower() not in named})
    return [
        Term(term.start, term.end, term.word, tuple(word for word in known if _kind(word) == _kind(term.word)))
        for term in entities
    ]


def _find(text: str) -> Iterator[Term]:
    for match in CAPITALS.finditer(text):
        yield Term(match.start(), match.end(), match.group(), ())
    for match in matches(THING_EN, text):
        word = match.group(1)
        if word.lower() not in NOT_THINGS and not CAPITALS.fullmatch(word):
            yield Term(match.start(1), match.end(1), word.lower(), ())
    for match in matches(THING_ZH, text):
        if not NOT_THINGS_ZH.match(match.group(1)):
            yield Term(match.start(1), match.end(1), match.group(1), ())


def _kind(word: str) -> str:
    if not word.isascii():
        return "chinese"
    if word.isupper():
        return "capitals"
    return "several" if word.endswith("s") else "one"
