"""An ensemble's reward is the plain mean of its members', of the same answers only."""

import pyarrow as pa
import pytest

from dt2it_ray.data.schema import SCORES
from dt2it_ray.errors import StageFailed
from dt2it_ray.stages.mean_scores import mean_scores
from dt2it_ray.stages.stage import NoSettings


def scores(**rewards: float) -> pa.Table:
    rows = [{"answer_id": answer, "prompt_id": "p", "score": reward} for answer, reward in rewards.items()]
    return pa.Table.from_pylist(rows, schema=SCORES)


def test_rewards_are_averaged_answer_by_answer() -> None:
    members = {
        "scores/one": scores(b=1.0, a=2.0),
        "scores/two": scores(a=4.0, b=-2.0),
        "scores/three": scores(a=0, b=0),
    }
    made = mean_scores(members, NoSettings()).rows
    assert made.schema == SCORES
    assert made.to_pydict() == {"answer_id": ["a", "b"], "prompt_id": ["p", "p"], "score": [2.0, -1 / 3]}


def test_an_answer_that_a_member_lacks_is_an_error() -> None:
    with pytest.raises(StageFailed, match="1 answers are not scored by every member, first b"):
        mean_scores({"scores/one": scores(a=1.0, b=1.0), "scores/two": scores(a=1.0)}, NoSettings())
