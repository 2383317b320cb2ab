"""How an answer comes to claim the opposite: its yes and no, its "there is" and "there is no" change places."""

import re

from dt2it_ray.rules.truth_words import matches

_ALONE = r"(?:^|(?<=\n)|(?<=[.!*] ))"
DENIALS = {
    rf"{_ALONE}no\b(?=[,.!]|$)": "yes",
    r"\bthere is no(?= [a-z])": "there is a",
    r"\bdoes not contain\b": "does contain",
    r"并没有": "确实有",
    r"(?<!并)没有": "有",
    r"不是": "是",
    r"^否": "是",
}
"""Markers of a denial, and what stands in their place when it is turned."""
CLAIMS = {
    rf"{_ALONE}yes\b(?=[,.!]|$)": "no",
    r"\bthere is an?(?= [a-z])": "there is no",
    r"\bdoes contain\b": "does not contain",
    r"确实有": "并没有",
    r"(?<![没所拥还具只持含实])有(?![些时关点人一二两三四五六七八九十])": "没有",
    r"^是(?=[。，,.]|$)": "否",
}
"""Markers of a claim, and what stands in their place when it is denied."""
OTHER_DENIALS = r"\b(?:not|no|never|without)\b|n't\b|[不没无非]"


def is_denial(sentence: str) -> bool:
    """Whether the sentence denies something."""
    return any(next(matches(pattern, sentence), None) for pattern in (*DENIALS, OTHER_DENIALS))


def flip_polarity(answer: str) -> str | None:
    """The answer with each claim and each denial turned, or None where it has none."""
    found = [
        (match, turned)
        for markers in (DENIALS, CLAIMS)
        for pattern, turned in markers.items()
        for match in matches(pattern, answer)
    ]
    for match, turned in sorted(found, key=lambda one: -one[0].start()):
        cased = turned[0].upper() + turned[1:] if match.group()[0].isupper() else turned
        answer = answer[: match.start()] + cased + answer[match.end() :]
    articled = re.sub(r"\b(there is a)(?= [aeiou])", r"\1n", answer, flags=re.IGNORECASE)
    return articled if found else None
