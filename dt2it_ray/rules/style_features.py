"""How an answer is written, whatever it says: its length, its marks, its hedges and its language, in numbers."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_HEDGES = (
    r"(?i)\b(?:maybe|perhaps|possibly|probably|presumably|apparently|seemingly|seems?|appears? to|might|may be|could be"
    r"|likely|roughly|approximately|sort of|kind of|unsure|uncertain|unclear"
    r"|not (?:entirely |quite |completely |really )?(?:sure|certain)|i (?:think|believe|guess|suppose|assume)"
    r"|in my opinion|as far as i can (?:tell|see))\b"
    r"|可能|也许|或许|大概|大约|似乎|好像|看起来|看上去|估计|应该是|恐怕|说不定|据我所知|不一定"
    r"|不(?:太|大|是很|完全)?确定|我(?:觉得|猜|认为|感觉)"
)
_REFUSALS = (
    r"(?i)\b(?:i(?:['’]m| am) (?:sorry|afraid)|i apologi[sz]e|as an? (?:ai|language model)"
    r"|(?:can ?not|can['’]t|won['’]t|unable to|not able to)"
    r" (?:answer|assist|help|provide|comply|determine|identify|see|view|tell))\b"
    r"|抱歉|对不起|很遗憾|作为(?:一个|一名|一款)?(?:AI|人工智能|语言模型)"
    r"|(?:无法|不能)(?:回答|提供|协助|帮助|判断|确定|识别|查看|看到)"
)
COUNTED: Mapping[str, str] = {
    # RE2 goes on after each match as if a text began there, so a pattern that looks for a line takes the whole of it.
    "words": r"\p{Han}|[^\s\p{Han}\p{P}\p{S}]+",
    "sentences": r"[.!?]+[\"'”’)\]*]*(?:\s|$)|[。！？]+",
    "headings": r"(?m)^ {0,3}#{1,6}[ \t][^\n]*",
    "bold": r"\*\*[^*\n]+\*\*|__[^_\n]+__",
    "code": r"(?s)```.*?```|`[^`\n]+`",
    "list_items": r"(?m)^[ \t]*(?:(?:[-*+•]|\d{1,3}[.)])[ \t]+|\d{1,3}、)[^\n]*",
    "hedges": _HEDGES,
    "first_person": r"\bI\b|\b(?i:me|my|mine|myself|we|us|our|ours)\b|我|本人|笔者",
    "refusals": _REFUSALS,
    "exclamations": r"[!！]",
}
"""What is counted in a text, as RE2 patterns. A Han character is a word of its own."""
SHARES = ("mean_word_length", "han_share")
FEATURES = ("characters", *COUNTED, *SHARES)
"""All numbers of a text, in the order of STYLE_FEATURES."""


def style_features(texts: pa.Array) -> dict[str, pa.Array]:
    """The FEATURES of every text. A text of words without a full stop is one sentence; without letters and digits the
    Han share and the mean word length are 0."""
    counts = {name: _count(texts, pattern) for name, pattern in COUNTED.items()}
    written, han = _count(texts, r"[\p{L}\p{N}]"), _count(texts, r"\p{Han}")
    words = counts["words"]
    counts["sentences"] = np.maximum(counts["sentences"], np.minimum(words, 1))
    shares = (written / np.maximum(words, 1), np.minimum(han / np.maximum(written, 1), 1))
    return {
        "characters": pc.utf8_length(texts).cast(pa.int32()),
        **{name: pa.array(count, pa.int32()) for name, count in counts.items()},
        **{name: pa.array(share, pa.float64()) for name, share in zip(SHARES, shares, strict=True)},
    }


def _count(texts: pa.Array, pattern: str) -> np.ndarray:
    return np.asarray(pc.count_substring_regex(texts, pattern), np.int64)
