"""Who said what of which two answers: every judge in every mode, with its comparisons and what is known of the
answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.comparisons import Codebook, Compared, Ratings, codebook, compare, mean_ratings, ratings_of, take
from dt2it_ray.rules.intervals import Codes

LISTWISE, POINTWISE, REJUDGE, RATE = "listwise", "pointwise", "rejudge", "rate"
"""Modes: what a rater was asked for. Named as the stages that ask."""
ORDERS = (0, 1)
"""The first order in which a rater sees answers, and the second."""


@dataclass(frozen=True)
class Rater:
    """One judge in one mode."""

    mode: str
    judge: str
    orders: Sequence[Compared]
    """Its comparisons in each of `ORDERS`; none where answers are shown one at a time."""
    compared: Compared
    """Its comparisons over all orders together."""
    means: Ratings | None
    """Its scores, means over all orders; None if it only says which answer is better."""


@dataclass(frozen=True)
class Answers:
    """What is known of the compared answers, by their codes."""

    prompts: Codes
    characters: Codes
    origins: pa.Array


@dataclass(frozen=True)
class Judged:
    """All raters, by mode and judge, and what they compared."""

    raters: Sequence[Rater]
    answers: Answers
    sources: Sequence[str]
    """Names of the sources, sorted."""
    source_of: Codes
    """The place of its source, by code of the prompt."""


def judged(judgements: pa.Table, answers: pa.Table, sources: pa.Table) -> Judged:
    """What JUDGEMENTS say, with `answers` (answer_id, characters, origin) and `sources` (prompt_id, source).

    Raises:
        StageFailed: a judged answer or prompt is missing from `answers` or `sources`.
    """
    prompts = codebook(judgements["prompt_id"])
    rated = codebook(pc.struct_field(pc.list_flatten(judgements["assessments"]), "answer_id"))
    raters, prompt_of = [], np.zeros(len(rated.ids), np.int64)
    for (mode, judge), ratings in ratings_of(judgements, prompts, rated).items():
        prompt_of[ratings.answers] = ratings.prompts
        means = mean_ratings(ratings)
        seen = () if mode == POINTWISE else (take(ratings, ratings.shown == shown) for shown in ORDERS)
        orders = [compare(each, len(rated.ids)) for each in seen]
        raters.append(Rater(mode, judge, orders, compare(means, len(rated.ids)), means))
    return judged_by(raters, answers_known(rated, prompt_of, answers), prompts, sources)


def judged_by(raters: Sequence[Rater], answers: Answers, prompts: Codebook, sources: pa.Table) -> Judged:
    """These raters, with the source of every prompt.

    Raises:
        StageFailed: a judged prompt is missing from `sources`.
    """
    source = _beside(prompts, sources, "prompt_id", "source")
    names = codebook(pa.chunked_array([source]))
    return Judged(raters, answers, names.ids.to_pylist(), names.codes(source))


def answers_known(rated: Codebook, prompt_of: Codes, answers: pa.Table) -> Answers:
    """What `answers` (answer_id, characters, origin) tells of the rated ones.

    Raises:
        StageFailed: a judged answer is missing from `answers`.
    """
    characters = _beside(rated, answers, "answer_id", "characters")
    return Answers(prompt_of, np.asarray(characters, np.int64), _found(rated, answers, "answer_id", "origin"))


def _beside(ids: Codebook, table: pa.Table, key: str, column: str) -> pa.Array:
    """The column of a table for each of the ids, which must all have it."""
    values = _found(ids, table, key, column)
    if values.null_count:
        missing = ids.ids.filter(pc.is_null(values))[0].as_py()
        raise StageFailed(f"{key} {missing} was judged, but the inputs do not tell its {column}")
    return values


def _found(ids: Codebook, table: pa.Table, key: str, column: str) -> pa.Array:
    """The column of a table for each of the ids, null where it has none."""
    values = table[column].combine_chunks()
    return values.take(pc.index_in(ids.ids, value_set=table[key].combine_chunks()))
