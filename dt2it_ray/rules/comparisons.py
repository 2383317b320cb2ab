"""What judges said of every two answers to a prompt, as arrays: who rated which answer how, and in which place."""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.intervals import Codes, Floats

MEAN_DECIMALS = 6
"""Means of overall scores, which have two decimals, are compared at this many."""


@dataclass(frozen=True)
class Codebook:
    """Distinct ids in sorted order, so that arrays of numbers can stand for them."""

    ids: pa.Array

    def codes(self, names: pa.Array | pa.ChunkedArray) -> Codes:
        """The place of every name, -1 where it is not known."""
        return np.asarray(pc.fill_null(pc.index_in(names, value_set=self.ids), -1), np.int64)


@dataclass(frozen=True)
class Ratings:
    """Overall scores of answers, one element each, sorted by prompt, answer and shown order."""

    prompts: Codes
    answers: Codes
    shown: Codes
    places: Codes
    """Where the answer stood among those shown, from 0."""
    overalls: Floats


@dataclass(frozen=True)
class Compared:
    """Every two answers to a prompt that were compared: codes of the answers, the first below the second."""

    units: Codes
    """A number for each comparison, the same wherever the same two answers are compared; ascending."""
    prompts: Codes
    first: Codes
    second: Codes
    directions: Codes
    """1 where the first answer is rated higher, -1 where the second is, 0 for a tie."""
    first_shown_first: NDArray[np.bool_]


ColumnsT = TypeVar("ColumnsT", Ratings, Compared)


def take(columns: ColumnsT, chosen: NDArray) -> ColumnsT:
    """The elements at some places, or under a mask."""
    return replace(columns, **{field.name: getattr(columns, field.name)[chosen] for field in fields(columns)})


def codebook(names: pa.ChunkedArray) -> Codebook:
    """The distinct names in sorted order."""
    distinct = pc.unique(names)
    return Codebook(distinct.take(pc.array_sort_indices(distinct)))


def ratings_of(judgements: pa.Table, prompts: Codebook, answers: Codebook) -> dict[tuple[str, str], Ratings]:
    """The ratings of a table of judgements by mode and judge, in the order of these names.

    Raises:
        StageFailed: a judgement rates an answer that is not in its `order`.
    """
    rows = judgements.combine_chunks()
    judgement, assessed = _flat(rows["assessments"])
    answer = answers.codes(pc.struct_field(assessed, "answer_id"))
    shown_in, shown = _flat(rows["order"])
    ratings = Ratings(
        prompts=prompts.codes(rows["prompt_id"])[judgement],
        answers=answer,
        shown=np.asarray(rows["shown"], np.int64)[judgement],
        places=_places(judgement, answer, shown_in, answers.codes(shown), rows["prompt_id"]),
        overalls=np.asarray(pc.struct_field(assessed, "overall"), np.float64),
    )
    names = pc.binary_join_element_wise(rows["mode"], rows["judge"], "/")
    known = codebook(names)
    rater = known.codes(names)[judgement]
    return {
        _split(name): _sorted(take(ratings, np.flatnonzero(rater == code)))
        for code, name in enumerate(known.ids.to_pylist())
    }


def mean_ratings(ratings: Ratings) -> Ratings:
    """One rating per answer: the mean over the orders in which it was shown. Places mean nothing afterwards."""
    starts = np.flatnonzero(np.diff(ratings.answers, prepend=-1))
    if not len(starts):
        return ratings
    counts = np.diff(starts, append=len(ratings.answers))
    means = np.round(np.add.reduceat(ratings.overalls, starts) / counts, MEAN_DECIMALS)
    return replace(take(ratings, starts), overalls=means)


def compare(ratings: Ratings, answers: int) -> Compared:
    """Every two of the ratings that are of one prompt; there must be one rating per answer, of so many answers."""
    first, second = every_two(ratings.prompts)
    order = np.lexsort((ratings.answers[second], ratings.answers[first]))
    first, second = first[order], second[order]
    return Compared(
        units=ratings.answers[first] * answers + ratings.answers[second],
        prompts=ratings.prompts[first],
        first=ratings.answers[first],
        second=ratings.answers[second],
        directions=np.sign(ratings.overalls[first] - ratings.overalls[second]).astype(np.int64),
        first_shown_first=ratings.places[first] < ratings.places[second],
    )


def every_two(groups: Codes) -> tuple[Codes, Codes]:
    """Places of every two elements of one group. Elements of a group stand together."""
    firsts, seconds, distance = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 1
    while (found := np.flatnonzero(groups[:-distance] == groups[distance:])).size:
        firsts.append(found)
        seconds.append(found + distance)
        distance += 1
    return np.concatenate(firsts), np.concatenate(seconds)


def _flat(lists: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """The elements of all lists, with the row that each is from."""
    joined = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
    return np.asarray(pc.list_parent_indices(joined), np.int64), pc.list_flatten(joined)


def _places(rows: Codes, answers: Codes, shown_in: Codes, shown: Codes, prompts: pa.ChunkedArray) -> Codes:
    """Where each answer of each row stands in the list of those shown."""
    width = max(answers.max(initial=0), shown.max(initial=0)) + 1
    places = np.arange(len(shown)) - np.searchsorted(shown_in, shown_in)
    # An answer that was shown but not rated has no code.
    listed, wanted = np.where(shown < 0, -1, shown_in * width + shown), rows * width + answers
    order = np.argsort(listed, kind="stable")
    found = np.searchsorted(listed[order], wanted) % max(1, len(listed))
    missing = np.flatnonzero(listed[order][found] != wanted) if len(listed) else np.arange(len(wanted))
    if len(missing):
        prompt = prompts[int(rows[missing[0]])].as_py()
        raise StageFailed(f"a judgement of prompt {prompt} rates an answer that its order does not list; judge again")
    return places[order][found]


def _split(name: str) -> tuple[str, str]:
    mode, _, judge = name.partition("/")
    return mode, judge


def _sorted(ratings: Ratings) -> Ratings:
    return take(ratings, np.lexsort((ratings.shown, ratings.answers, ratings.prompts)))
