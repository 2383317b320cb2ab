"""How raters use the scale, by hand."""

import pyarrow as pa
import pytest

from dt2it_ray.data.attributes import ATTRIBUTES
from dt2it_ray.rules.rating_figures import rater_figures
from tests.rules.tables import shuffled


def flat(*rated: tuple[str, str, int, tuple[int, ...]], judge: str = "r") -> pa.Table:
    """Rated answers as (prompt, answer, characters, values)."""
    prompts, answers, characters, values = zip(*rated, strict=True)
    columns = {"prompt_id": prompts, "answer_id": answers, "judge": [judge] * len(rated), "characters": characters}
    by_name = {name: [each[place] for each in values] for place, name in enumerate(ATTRIBUTES)}
    return pa.table({name: list(column) for name, column in {**columns, **by_name}.items()})


def test_mean_and_spread_are_of_all_answers() -> None:
    table = flat(("p", "a", 5, (4, 3, 2, 1, 0)), ("p", "b", 5, (2, 3, 2, 1, 0)))
    figures = rater_figures(table)["r"]
    assert figures["answers"] == 2
    assert (figures["helpfulness"]["mean"], figures["helpfulness"]["sd"]) == (3, 1)
    assert (figures["quality"]["mean"], figures["quality"]["sd"]) == (8, 1)
    assert figures["verbosity"] == {"mean": 0, "sd": 0, "length_correlation": None}


def test_the_length_correlation_compares_answers_to_one_prompt() -> None:
    """Here the longer answer of each prompt is the more verbose one, and the prompt with long answers the terser."""
    table = flat(
        ("p", "a", 10, (4, 0, 2, 2, 3)),
        ("p", "b", 20, (0, 4, 2, 2, 4)),
        ("q", "c", 1000, (4, 0, 2, 2, 0)),
        ("q", "d", 1010, (0, 4, 2, 2, 1)),
    )
    figures = rater_figures(table)["r"]
    assert figures["verbosity"]["length_correlation"] == pytest.approx(1)
    assert figures["helpfulness"]["length_correlation"] == pytest.approx(-1)
    assert figures["quality"]["length_correlation"] is None


def test_every_rater_has_figures_of_its_own_whatever_the_order_of_rows() -> None:
    first = flat(("p", "a", 5, (4, 4, 4, 0, 0)), ("p", "b", 9, (0, 4, 4, 0, 0)), judge="one")
    second = flat(("p", "a", 5, (1, 1, 1, 1, 1)), judge="two")
    figures = rater_figures(pa.concat_tables([second, first]))
    assert list(figures) == ["one", "two"]
    assert figures["one"] == rater_figures(first)["one"] == rater_figures(shuffled(first))["one"]
    assert figures["two"]["quality"]["mean"] == 3
    assert rater_figures(first.slice(0, 0)) == {}
