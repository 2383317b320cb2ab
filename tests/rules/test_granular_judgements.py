"""Granular raters are measured by the same rules as judges, by their quality Q or by one attribute."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dt2it_ray.data.granular import RATINGS
from dt2it_ray.rules.granular_judgements import judgements_of
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.rules.raters import Judged, judged
from dt2it_ray.rules.reliability import measure_reliability
from tests.rules.judged import answer_table, source_table
from tests.rules.tables import shuffled
from tests.rules.test_reliability import figure

PROMPTS = [f"p{number:02d}" for number in range(12)]
KINDS = {"a": (10, "model:x"), "b": (20, "model:y")}
Values = Mapping[str, Sequence[int]]


def rating_table(raters: Mapping[str, Values], order: str = "ab") -> pa.Table:
    """The same RATINGS of every prompt by each rater: values by letter of the answer."""
    rows: list[dict[str, Any]] = [
        {
            "prompt_id": prompt,
            "judge": name,
            "order": [prompt + letter for letter in order],
            "ratings": [{"answer_id": prompt + letter, "values": list(said[letter])} for letter in order],
        }
        for name, said in raters.items()
        for prompt in PROMPTS
    ]
    return pa.Table.from_pylist(rows, schema=RATINGS)


def known(ratings: pa.Table, attribute: str | None = None) -> Judged:
    sources = source_table(dict.fromkeys(PROMPTS, "s"))
    return judged(judgements_of(ratings, attribute), answer_table(PROMPTS, KINDS), sources)


def test_quality_is_the_sum_of_three_attributes_and_decides_who_wins() -> None:
    ratings = rating_table({"r": {"a": (4, 3, 2, 0, 0), "b": (2, 3, 3, 4, 4)}})
    (rated,) = judgements_of(ratings).slice(0, 1).to_pylist()
    assert [(each["answer_id"], each["overall"]) for each in rated["assessments"]] == [("p00a", 9), ("p00b", 8)]
    assert (rated["mode"], rated["shown"], rated["order"]) == ("rate", 0, ["p00a", "p00b"])
    made = measure_reliability(known(ratings), {"rate/r": "x"}, Resampling())
    assert [figure(made, name)["value"] for name in ("longer_wins", "self_preference", "first_shown_wins")] == [0, 1, 1]
    assert figure(made, "position_flip_rate")["note"] == "one_order_only"


@pytest.mark.parametrize(("attribute", "values"), [("helpfulness", [4, 2]), ("verbosity", [1, 3])])
def test_one_attribute_can_stand_for_the_scores(attribute: str, values: list[int]) -> None:
    rated = judgements_of(rating_table({"r": {"a": (4, 3, 2, 0, 1), "b": (2, 3, 3, 4, 3)}}), attribute)
    assert [each["overall"] for each in rated["assessments"][5].as_py()] == values


def test_raters_agree_on_some_attributes_and_not_on_others() -> None:
    one, other = {"a": (4, 4, 4, 1, 0), "b": (1, 1, 1, 2, 4)}, {"a": (4, 3, 4, 2, 0), "b": (1, 1, 1, 1, 4)}
    ratings = rating_table({"one": one, "other": other})
    aspects = {f"alpha_{name}": known(ratings, name).raters for name in ("helpfulness", "complexity")}
    made = measure_reliability(known(ratings), {}, Resampling(), aspects)
    alpha = {name: figure(made, f"alpha_{name}", mode="rate")["value"] for name in ("helpfulness", "complexity")}
    assert alpha["helpfulness"] == 1
    assert alpha["complexity"] == pytest.approx(1 - 1 / (24 / 47), abs=1e-6)
    assert 0.9 < figure(made, "alpha_overall", mode="rate")["value"] < 1
    kappa = figure(made, "kappa")
    assert (kappa["judge"], kappa["other_judge"], kappa["value"], kappa["n"]) == ("one", "other", 1, 12)


def test_the_order_of_rows_and_a_rating_that_is_missing_mean_nothing() -> None:
    draw = np.random.default_rng(0)
    raters = {name: {letter: draw.integers(0, 5, 5).tolist() for letter in "ab"} for name in ("one", "other")}
    table = rating_table(raters).slice(3)
    made, mixed = (measure_reliability(known(each), {}, Resampling()) for each in (table, shuffled(table)))
    assert made.equals(mixed)
    assert figure(made, "kappa")["n"] == 9


def test_no_ratings_are_no_judgements() -> None:
    assert judgements_of(RATINGS.empty_table()).num_rows == 0
