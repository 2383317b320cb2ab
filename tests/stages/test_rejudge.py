"""Re-judging: both orders of every pair, and votes that refer to the pair's own direction."""

import pyarrow as pa

from dt2it_ray.stages.judges import JudgeSettings
from dt2it_ray.stages.rejudge import REJUDGE, rejudge_batch
from tests.stages.rows import ToyJudge, prompt_row


def doubted(better: str = "longer", worse: str = "no") -> pa.Table:
    row = prompt_row("p", (better, worse))
    chosen, rejected = (answer["answer_id"] for answer in row["answers"])
    row["pairs"] = [{"pair_id": "pair", "chosen_id": chosen, "rejected_id": rejected}]
    return pa.Table.from_pylist([row], schema=REJUDGE.reads)


def verdicts(table: pa.Table, *judges: ToyJudge) -> list[tuple[str, bool, str]]:
    votes = [
        vote
        for judge in judges
        for vote in rejudge_batch(table, judge, JudgeSettings(name=judge.name)).rows.to_pylist()
    ]
    return sorted((vote["judge"], vote["swapped"], vote["verdict"]) for vote in votes)


def test_every_judge_votes_once_in_each_order_for_the_pair_and_not_for_a_position() -> None:
    told = verdicts(doubted(), ToyJudge("a", len), ToyJudge("b", lambda text: 10 - min(len(text), 10)))
    assert told == [
        ("a", False, "chosen"),
        ("a", True, "chosen"),
        ("b", False, "rejected"),
        ("b", True, "rejected"),
    ]


def test_a_judge_that_only_likes_the_first_answer_votes_for_each_side_once() -> None:
    told = verdicts(doubted(), ToyJudge("a", lambda text: 5, first_bonus=2))
    assert [verdict for _, _, verdict in told] == ["chosen", "rejected"]


def test_equal_scores_are_a_tie_and_a_reply_that_stays_invalid_is_no_vote_but_is_kept() -> None:
    assert [verdict for *_, verdict in verdicts(doubted(), ToyJudge("a", lambda text: 5))] == ["tie", "tie"]
    votes = rejudge_batch(doubted(), ToyJudge("a", len, stutters=9), JudgeSettings()).rows.to_pylist()
    assert [vote["verdict"] for vote in votes] == ["invalid", "invalid"]
    assert all("first one is better" in vote["evidence"] and vote["attempts"] == 3 for vote in votes)


def test_swapping_chosen_and_rejected_swaps_the_verdicts() -> None:
    judge = ToyJudge("a", len, first_bonus=1)
    straight = [verdict for *_, verdict in verdicts(doubted("longer", "no"), judge)]
    swapped = [verdict for *_, verdict in verdicts(doubted("no", "longer"), judge)]
    assert straight == ["chosen", "chosen"]
    assert swapped == ["rejected", "rejected"]
