"""Who rated what: every judge in every mode, with its comparisons and what is known of the answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.comparisons import Codebook, Compared, Ratings, codebook, compare, mean_ratings, ratings_of
from dt2it_ray.rules.intervals import Codes


@dataclass(frozen=True)
class Rater:
    """One judge in one mode: every rating, and the comparisons of the means over all shown orders."""

    mode: str
    judge: str
    ratings: Ratings
    means: Ratings
    compared: Compared
    units: Codes
    """A number for each comparison, equal for all raters; ascending."""


@dataclass(frozen=True)
class Answers:
    """What is known of the rated answers, by their codes."""

    prompts: Codes
    characters: Codes
    origins: pa.Array


@dataclass(frozen=True)
class Judged:
    """All raters, by mode and judge, and what they rated."""

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
    characters = _beside(rated, answers, "answer_id", "characters")
    origins = _found(rated, answers, "answer_id", "origin")
    raters, prompt_of = [], np.zeros(len(rated.ids), np.int64)
    for (mode, judge), ratings in ratings_of(judgements, prompts, rated).items():
        prompt_of[ratings.answers] = ratings.prompts
        means = mean_ratings(ratings)
        compared = compare(means)
        raters.append(Rater(mode, judge, ratings, means, compared, compared.units(len(rated.ids))))
    source = _beside(prompts, sources, "prompt_id", "source")
    names = codebook(pa.chunked_array([source]))
    known = Answers(prompt_of, np.asarray(characters, np.int64), origins)
    return Judged(raters, known, names.ids.to_pylist(), names.codes(source))


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
