"""How claims and questions sound in English and Chinese, and how claims are found again in free text."""

import re
from functools import cache

from dt2it_ray.data.scenes.claims import Claim
from dt2it_ray.data.scenes.scene import COLOURS, PLACES, SHAPES, WORDS

LANGUAGES = ("en", "zh")
NUMBERS = ("1", "2", "3", "4", "5", "6")
_ZH = {
    **dict(zip(COLOURS, ("红色", "绿色", "蓝色", "黄色", "紫色", "橙色"), strict=True)),
    **dict(zip(SHAPES, ("圆形", "方形", "三角形", "星形"), strict=True)),
    **dict(zip(PLACES, ("左上角", "上方", "右上角", "左边", "中间", "右边", "左下角", "下方", "右下角"), strict=True)),
    **dict(zip(NUMBERS, "一二三四五六", strict=True)),
    "object": "物体",
    "bar": "柱子",
    "yes": "有",
    "no": "没有",
}
_EN: dict[str, str] = dict(zip(NUMBERS, ("one", "two", "three", "four", "five", "six"), strict=True))

CLAIM_FORMS = {
    ("colour", "en"): ("The {subject} is {value}.", "The colour of the {subject} is {value}."),
    ("colour", "zh"): ("{subject}是{value}的。", "{subject}的颜色是{value}。"),
    ("shape", "en"): ("The {subject} object is a {value}.", "The shape of the {subject} object is a {value}."),
    ("shape", "zh"): ("{subject}的物体是{value}。", "{subject}物体的形状是{value}。"),
    ("count", "en"): ("There are {value} {subject}s.", "The image has {value} {subject}s."),
    ("count", "zh"): ("图中有{value}个{subject}。", "一共有{value}个{subject}。"),
    ("position", "en"): ("The {subject} is at the {value}.", "You can find the {subject} at the {value}."),
    ("position", "zh"): ("{subject}在{value}。", "{subject}位于{value}。"),
    ("existence yes", "en"): ("There is a {subject}.", "The image does contain a {subject}."),
    ("existence yes", "zh"): ("图中有{subject}。", "图里确实有{subject}。"),
    ("existence no", "en"): ("There is no {subject}.", "The image does not contain a {subject}."),
    ("existence no", "zh"): ("图中没有{subject}。", "图里并没有{subject}。"),
    ("word", "en"): ("The word is {value}.", "The written word is {value}."),
    ("word", "zh"): ("单词是{value}。", "图中写的是{value}。"),
    ("tallest", "en"): ("The {value} bar is the tallest.", "The tallest bar is {value}."),
    ("tallest", "zh"): ("{value}的柱子最高。", "最高的柱子是{value}的。"),
    ("height", "en"): ("The {subject} bar has the value {value}.", "The value of the {subject} bar is {value}."),
    ("height", "zh"): ("{subject}柱子的值是{value}。", "{subject}的柱子高度为{value}。"),
}
QUESTION_FORMS = {
    ("colour", "en"): ("What colour is the {subject}?", "Which colour does the {subject} have?"),
    ("colour", "zh"): ("{subject}是什么颜色？", "请问{subject}的颜色是什么？"),
    ("shape", "en"): ("What shape is the {subject} object?", "Which shape does the {subject} object have?"),
    ("shape", "zh"): ("{subject}的物体是什么形状？", "请问{subject}物体的形状是什么？"),
    ("count", "en"): ("How many {subject}s are there?", "How many {subject}s can you see in the image?"),
    ("count", "zh"): ("图中有几个{subject}？", "一共有多少个{subject}？"),
    ("position", "en"): ("Where is the {subject}?", "In which part of the image is the {subject}?"),
    ("position", "zh"): ("{subject}在哪里？", "{subject}位于图中什么位置？"),
    ("existence", "en"): ("Is there a {subject}?", "Does the image contain a {subject}?"),
    ("existence", "zh"): ("图中有{subject}吗？", "有没有{subject}？"),
    ("word", "en"): ("What word is written in the image?", "Which word can you read?"),
    ("word", "zh"): ("图中写的是什么单词？", "你能读出哪个单词？"),
    ("tallest", "en"): ("Which bar is the tallest?", "What is the colour of the tallest bar?"),
    ("tallest", "zh"): ("哪个柱子最高？", "最高的柱子是什么颜色？"),
    ("height", "en"): ("What is the value of the {subject} bar?", "How tall is the {subject} bar?"),
    ("height", "zh"): ("{subject}柱子的值是多少？", "{subject}的柱子有多高？"),
}


def name(key: str, language: str) -> str:
    """How a colour, shape, place, number, word or subject is called."""
    if language == "en":
        return _EN.get(key, key)
    if " " in key and key not in _ZH:
        colour, noun = key.split(" ")
        return f"{_ZH[colour]}的{_ZH[noun]}"
    return _ZH.get(key, key)


def question_text(relation: str, subject: str, language: str, form: int) -> str:
    """A question; `form` picks the paraphrase."""
    forms = QUESTION_FORMS[relation, language]
    return _articles(forms[form % len(forms)].format(subject=name(subject, language)))


def claim_text(claim: Claim, language: str, form: int) -> str:
    """The claim as a full sentence; `form` picks the paraphrase."""
    relation = f"existence {claim.value}" if claim.relation == "existence" else claim.relation
    forms = CLAIM_FORMS[relation, language]
    text = forms[form % len(forms)].format(subject=name(claim.subject, language), value=name(claim.value, language))
    if claim.relation == "count" and claim.value == "1":
        text = text.replace("There are one", "There is one").replace(f"{claim.subject}s.", f"{claim.subject}.")
    return _articles(text.replace("二个", "两个"))


def bare_text(claim: Claim, language: str) -> str:
    """Only the value, as a terse answer gives it."""
    word = name(claim.value, language)
    if claim.relation == "count" and language == "zh":
        return f"{word}个".replace("二个", "两个")
    return word[0].upper() + word[1:]


def claims_in(text: str) -> list[Claim]:
    """The claims that the text makes in full sentences of either language, in order, each once."""
    found: dict[Claim, int] = {}
    lowered = text.lower()
    for relation, value, pattern in _patterns():
        for match in pattern.finditer(lowered):
            groups = match.groupdict()
            claim = Claim(relation, _key(groups.get("subject", "")), value or _key(groups["value"]))
            found[claim] = min(match.start(), found.get(claim, match.start()))
    return sorted(found, key=lambda claim: found[claim])


def bare_values(text: str, relation: str) -> list[str]:
    """The values fit for the relation that the text names, in order, each once."""
    if relation == "existence":
        pattern = re.compile(r"\b(?:yes|no)\b|没有|有|不是|是|否")
        answers = [match.group() for match in pattern.finditer(text.lower())]
        return list(dict.fromkeys("yes" if word in ("yes", "有", "是") else "no" for word in answers))
    pattern = re.compile(_alternatives(_VALUES[relation]))
    return list(dict.fromkeys(_key(match.group()) for match in pattern.finditer(text.lower())))


def _articles(text: str) -> str:
    return text.replace(" a orange", " an orange")


_VALUES = {
    "colour": COLOURS,
    "shape": SHAPES,
    "count": NUMBERS,
    "position": PLACES,
    "existence": (),
    "word": WORDS,
    "tallest": COLOURS,
    "height": NUMBERS,
}
_SUBJECTS = {
    "colour": SHAPES,
    "shape": COLOURS,
    "count": ("object", "bar", *SHAPES),
    "position": SHAPES,
    "existence": tuple(f"{colour} {noun}" for colour in COLOURS for noun in (*SHAPES, "bar")),
    "height": COLOURS,
}


@cache
def _spellings() -> dict[str, str]:
    """Every spelling, in lower case, and the key that it stands for."""
    keys = {key for keys in (*_VALUES.values(), *_SUBJECTS.values()) for key in keys}
    spelled = {name(key, language).lower(): key for key in keys for language in LANGUAGES}
    loose = {"两": "2", "center": "centre", "middle": "centre", "mid left": "middle left"}
    return {**spelled, **{number: number for number in NUMBERS}, **loose}


def _key(spelling: str) -> str:
    return _spellings().get(spelling, spelling)


def _alternatives(keys: tuple[str, ...]) -> str:
    """A pattern for any spelling of the keys: longest first, English ones as whole words, 三 not inside 三角形."""
    spelled = [spelling for spelling, key in _spellings().items() if key in keys]
    longest_first = sorted(spelled, key=lambda spelling: (-len(spelling), spelling))
    return "|".join(
        rf"(?<![a-z0-9]){re.escape(spelling)}(?![a-z0-9])"
        if spelling.isascii()
        else (f"{spelling}(?!角)" if spelling == "三" else spelling)
        for spelling in longest_first
    )


@cache
def _patterns() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """The claim forms turned into patterns, with the relation and the value where the form fixes it."""
    patterns = []
    for (form_name, _), forms in CLAIM_FORMS.items():
        relation, _, value = form_name.partition(" ")
        for form in forms:
            pattern = _claim_pattern(form, relation)
            patterns.append((relation, value, re.compile(pattern)))
    return tuple(patterns)


def _claim_pattern(form: str, relation: str) -> str:
    escaped = re.escape(form.lower().rstrip(".。")).replace(r"\ ", " ")
    escaped = escaped.replace(r"\{subject\}s", r"\{subject\}s?").replace("there are", "there (?:are|is)")
    escaped = re.sub(r"\ba (?=\\\{)", "an? ", escaped)
    subject = _alternatives(_SUBJECTS.get(relation, ()))
    plural = relation == "count"
    if plural:
        subject = subject.replace("(?![a-z0-9])", "(?=s?(?![a-z0-9]))")
    escaped = escaped.replace(r"\{subject\}", f"(?P<subject>{subject})")
    return escaped.replace(r"\{value\}", f"(?P<value>{_alternatives(_VALUES[relation])})")
