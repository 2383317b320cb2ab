"""Which words of an answer bear its truth and can be swapped for others of their kind: colours, numbers, places."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

WordKind = Literal["colour", "number", "place"]
KINDS: tuple[WordKind, ...] = ("colour", "number", "place")

COLOURS = (
    ("red", "green", "blue", "yellow", "purple", "orange", "black", "white", "grey", "brown", "pink"),
    ("红色", "绿色", "蓝色", "黄色", "紫色", "橙色", "黑色", "白色", "灰色", "棕色", "粉色"),
)
NUMBERS_EN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS_ZH = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十")
NEAR = 2
"""A number is swapped for one that differs by at most this much."""
OPPOSITES = (
    *(("top", "bottom"), ("upper", "lower"), ("above", "below"), ("inside", "outside")),
    *(("north", "south"), ("east", "west"), ("上方", "下方"), ("上面", "下面"), ("上角", "下角")),
    *(("上边", "下边"), ("前面", "后面"), ("里面", "外面")),
)
CENTRES = {
    "middle": ("top", "bottom"),
    "centre": ("left", "right"),
    "center": ("left", "right"),
    "中间": ("左边", "右边"),
    "中央": ("左边", "右边"),
}
# In these patterns the group, where there is one, is the word.
SIDES = {
    # "left" is a verb too, and "right" is praise, unless such a word stands before them or none stands beside them.
    r"\b(?:the|top|middle|bottom|upper|lower|far) (left|right)\b(?! answer)": {"left": "right", "right": "left"},
    r"^(left|right)(?=[^a-z]*$)": {"left": "right", "right": "left"},
    # 左右 is "about".
    r"左(?!右)|(?<!左)右": {"左": "右", "右": "左"},
}
MEASURES = "个只张条把辆位本块座棵件种名朵双根颗匹头间层"
"""Chinese words between a number and what is counted."""
# Not in 三角形 nor in 这是一个. A lone "one" is mostly no number ("this one").
NUMBER_EN = rf"\b(?:{'|'.join(NUMBERS_EN[1:])})\b|^one(?=[^a-z]*$)"
NUMBER_ZH = (
    rf"(?<![是第十])[{''.join(NUMBERS_ZH)}两](?=[{MEASURES}])|(?<=[是为])[{''.join(NUMBERS_ZH)}](?=[。，；、.,]|$)"
)
DIGITS = r"(?<![\w.,])\d{1,6}(?!\w|[.,]\d)"


@dataclass(frozen=True)
class Term:
    """A truth-bearing word where it stands in a text, and what can stand there instead, in a fixed order."""

    start: int
    end: int
    word: str
    """In lower case."""
    swaps: tuple[str, ...]


def truth_words(text: str) -> tuple[str, ...]:
    """All truth-bearing words of a text in its order, in lower case."""
    return tuple(term.word for term in sorted(_all_terms(text), key=lambda term: (term.start, term.word)))


def find_terms(kind: WordKind, text: str) -> list[Term]:
    """The words of one kind, English or Chinese, in the order of the text."""
    finders = {"colour": _find_colours, "number": _find_numbers, "place": _find_places}
    return sorted(finders[kind](text), key=lambda term: term.start)


def matches(pattern: str, text: str) -> Iterator[re.Match[str]]:
    """Where the pattern stands in the text; case is passed over, and Chinese letters bound English words."""
    return _compiled(pattern).finditer(text)


def _all_terms(text: str) -> Iterator[Term]:
    for kind in KINDS:
        yield from find_terms(kind, text)


def _find_colours(text: str) -> Iterator[Term]:
    for colours in COLOURS:
        for match in matches(any_of(colours), text):
            yield _term(match, tuple(colour for colour in colours if colour != match.group().lower()))


def _find_numbers(text: str) -> Iterator[Term]:
    for match in matches(NUMBER_EN, text):
        # Two for one, or one for two, would need another verb and a plural, which gives the swap away.
        yield _term(match, _near_words(NUMBERS_EN, NUMBERS_EN.index(match.group().lower()) + 1, least=2))
    for match in matches(DIGITS, text):
        yield _term(match, tuple(str(other) for other in _near(int(match.group()), least=2)))
    for match in matches(NUMBER_ZH, text):
        value = 2 if match.group() == "两" else NUMBERS_ZH.index(match.group()) + 1
        words = _near_words(NUMBERS_ZH, value, least=1)
        counts = text[match.end() : match.end() + 1] in tuple(MEASURES)
        yield _term(match, tuple("两" if word == "二" and counts else word for word in words))


def _find_places(text: str) -> Iterator[Term]:
    for pair in OPPOSITES:
        for match in matches(any_of(pair), text):
            yield _term(match, tuple(word for word in pair if word != match.group().lower()))
    for match in matches(any_of(tuple(CENTRES)), text):
        yield _term(match, CENTRES[match.group().lower()])
    for pattern, swaps in SIDES.items():
        for match in matches(pattern, text):
            yield _term(match, (swaps[match.group(match.lastindex or 0).lower()],))


def any_of(words: tuple[str, ...]) -> str:
    """A pattern for any of the words, English ones as whole words."""
    return "|".join(rf"\b{word}\b" if word.isascii() else word for word in words)


def _near(value: int, least: int) -> tuple[int, ...]:
    return tuple(other for other in range(max(least, value - NEAR), value + NEAR + 1) if other != value)


def _near_words(words: tuple[str, ...], value: int, least: int) -> tuple[str, ...]:
    return tuple(words[other - 1] for other in _near(value, least) if other <= len(words))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


def _term(match: re.Match[str], swaps: tuple[str, ...]) -> Term:
    place = match.lastindex or 0
    return Term(match.start(place), match.end(place), match.group(place).lower(), swaps)
