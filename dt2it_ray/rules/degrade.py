"""How an answer is made worse without another style: one truth-bearing word is swapped, or the end is cut off."""

import itertools
import re
from collections.abc import Sequence
from typing import Literal

from dt2it_ray.data.ids import content_id, unit_interval
from dt2it_ray.rules.entities import find_entities, swaps_for
from dt2it_ray.rules.polarity import flip_polarity, is_denial
from dt2it_ray.rules.truth_words import Term, find_terms

Degradation = Literal["colour", "number", "place", "yes_no", "entity", "truncation"]
SENTENCE_END = re.compile(r"(?<=[.!?])(?=\s)|(?<=[。！？])")
CLAUSE_END = re.compile(r"(?<=[,;:])(?=\s)|(?<=[，；：])|(?=\n)")
CLOSING = " \n,;:，；："
SHORTEST = 2
"""Fewest characters that a cut answer must keep."""


def degrade(kind: Degradation, question: str, answer: str, others: Sequence[str], key: str) -> str | None:
    """The answer made worse in one way, or None where it has nothing of the kind.

    `others` are the other answers to the question; entities are swapped with theirs. Which word is swapped, and for
    what, is a function of the texts and `key` only. A word that the question names gives way only to another that it
    names ("red or blue?"), as any other would answer another question; and none of a denial does, as what stands for
    it may be missing too. All places of the word are changed alike, and so are "a" and "an" before it.
    """
    if kind == "truncation":
        return _cut(answer)
    if kind == "yes_no":
        return flip_polarity(answer)
    if kind == "entity":
        terms = swaps_for(find_entities(answer), [question, *others], answer)
    else:
        terms = find_terms(kind, answer)
    return _swap(_fitting(terms, question, answer), answer, content_id("degrade", kind, key, answer))


def _fitting(terms: Sequence[Term], question: str, answer: str) -> list[Term]:
    asked = question.lower()
    fitting = []
    for term in terms:
        named = term.word.lower() in asked
        swaps = tuple(swap for swap in term.swaps if (swap.lower() in asked) == named)
        if swaps:
            fitting.append(Term(term.start, term.end, term.word, swaps))
    denied = {term.word for term in fitting if is_denial(_sentence_at(answer, term.start))}
    return [term for term in fitting if term.word not in denied]


def _sentence_at(answer: str, place: int) -> str:
    ends = [0, *(match.start() for match in SENTENCE_END.finditer(answer)), len(answer)]
    return next((answer[start:end] for start, end in itertools.pairwise(ends) if place < end), answer)


def _swap(terms: Sequence[Term], answer: str, key: str) -> str | None:
    swaps = {term.word: term.swaps for term in terms}
    if not swaps:
        return None
    word = min(swaps, key=lambda word: unit_interval("word", key, word))
    swap = min(swaps[word], key=lambda swap: unit_interval("swap", key, swap))
    for term in sorted((term for term in terms if term.word == word), key=lambda term: -term.start):
        found = answer[term.start : term.end]
        answer = _with_article(answer[: term.start], swap) + _cased(swap, found) + answer[term.end :]
    return answer


def _cased(swap: str, found: str) -> str:
    if found.isupper() and len(found) > 1:
        return swap.upper()
    return swap[0].upper() + swap[1:] if found[:1].isupper() else swap


def _with_article(before: str, word: str) -> str:
    """The text before a word; an article at its end is the one that the word takes."""
    if not word.isascii():
        return before
    letters = "n" if word[0].lower() in "aeiou" else ""
    return re.sub(r"\b([Aa])n? $", rf"\g<1>{letters} ", before)


def _cut(answer: str) -> str | None:
    """The first half of the sentences, at least one; of a single sentence, the clauses of its first half."""
    for pattern in (SENTENCE_END, CLAUSE_END):
        ends = [match.start() for match in pattern.finditer(answer) if answer[match.start() :].strip()]
        if ends:
            first_half = [end for end in ends if end <= len(answer) / 2]
            cut = answer[: first_half[-1] if first_half else ends[0]].rstrip(CLOSING)
            return cut if len(cut) >= SHORTEST else None
    return None
