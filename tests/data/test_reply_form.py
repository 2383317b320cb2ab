"""The forms of replies as JSON schemas, each with every field of every answer."""

from typing import Any

import pytest

from dt2it_ray.data.attributes import ATTRIBUTES
from dt2it_ray.data.criteria import CRITERIA
from dt2it_ray.data.rating_form import RATING
from dt2it_ray.data.reply_form import ReplyForm
from dt2it_ray.data.rubric_form import RUBRIC


@pytest.mark.parametrize(
    ("form", "field", "names", "bounds"),
    [(RUBRIC, "scores", CRITERIA, (0, 10)), (RATING, "ratings", ATTRIBUTES, (0, 4))],
)
def test_a_schema_demands_every_value_of_every_answer(
    form: ReplyForm, field: str, names: tuple[str, ...], bounds: tuple[int, int]
) -> None:
    answers: Any = form.schema(3)["properties"]["answers"]
    assert (answers["minItems"], answers["maxItems"]) == (3, 3)
    answer = answers["items"]
    assert answer["required"] == list(answer["properties"])
    assert {"index", "analysis", field} <= set(answer["required"])
    assert answer["properties"]["index"]["maximum"] == 3
    values = answer["properties"][field]
    assert values["required"] == list(names)
    assert values["additionalProperties"] is False
    assert {(each["minimum"], each["maximum"]) for each in values["properties"].values()} == {bounds}


def test_the_rubric_demands_a_weight_for_each_criterion() -> None:
    assert RUBRIC.schema(1)["properties"]["weights"]["required"] == list(CRITERIA)
