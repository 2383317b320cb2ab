import pytest

from dt2it_ray.rules.pair_verdict import PairVerdict, lettered_verdict, numbered_verdict
from dt2it_ray.rules.reply_fields import Refused


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("Overall Judgment - Answer 1 is better.", 0),
        ("**Overall Judgment** - **Answer 2** is slightly better.", 1),
        ("Some words.\n\nOverall\nJudgment: Answer 2 is better", None),
        ("Overall Judgment\n- Answer 2 is the better one", 1),
        ("Therefore, Answer 1 is the slightly better answer", 0),
        ("Therefore Answer 1 is better. Overall Judgment - Answer 2 is better.", 1),
        ("Overall Judgment - Answer 3 is better.", None),
        ("Answer 1 is better.", None),
        ("Overall Judgment - both are equal.", None),
        ("", None),
    ],
)
def test_the_number_behind_the_judgment_decides(text: str, better: int | None) -> None:
    said = numbered_verdict(text)
    assert (said.better if isinstance(said, PairVerdict) else None) == better
    assert isinstance(said, Refused) == (better is None)


@pytest.mark.parametrize(
    ("text", "better"),
    [("I choose [[A]]", 0), ("[[B]] it is", 1), ("[[B]], or rather [[A]]", 0), ("A is better", None), ("[[C]]", None)],
)
def test_the_first_letter_wins_where_both_stand(text: str, better: int | None) -> None:
    said = lettered_verdict(text)
    assert (said.better if isinstance(said, PairVerdict) else None) == better
