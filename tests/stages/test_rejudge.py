"""Re-judging: both orders of every pair, and votes that refer to the pair's own direction."""

from collections.abc import Sequence

import pyarrow as pa

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.stages.judges import JudgeSettings
from dt2it_ray.stages.rejudge import REJUDGE, rejudge_batch
from tests.stages.rows import ToyJudge, form, png, prompt_row


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


class Chat:
    """A generator that scores an answer by its length, after one reply of prose; it has no reply about one answer."""

    def __init__(self, lost: str = "never") -> None:
        self._lost = lost
        self.asked: list[GenerationRequest] = []

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request: GenerationRequest) -> list[Completion] | Dropped:
        lines = request.messages[0]["content"][-1]["text"].splitlines()
        answers = [lines[place + 1] for place, line in enumerate(lines) if line.startswith("[answer ")]
        if answers[0] == self._lost:
            return Dropped(DropReason.ENDPOINT_FAILED, "6 tries")
        text = form([len(answer) for answer in answers]) if len(request.messages) > 1 else "The longer one."
        return [Completion(text, "stop", 1)]


def test_a_chat_model_votes_on_doubted_pairs_in_both_orders() -> None:
    chat = Chat()
    outcome = rejudge_batch(doubted(), ChatJudge("chat", chat, "rubric-1"), JudgeSettings(name="chat"))
    votes = outcome.rows.to_pylist()
    assert [(vote["judge"], vote["swapped"], vote["verdict"], vote["attempts"]) for vote in votes] == [
        ("chat", False, "chosen", 2),
        ("chat", True, "chosen", 2),
    ]
    assert outcome.metrics == {"attempts": 4, "faults.not_one_object": 2, "lost": 0, "requests": 2}
    assert [request.images for request in chat.asked] == [(png(),)] * 4
    assert set(chat.asked[0].schema or ()) >= {"properties"}


def test_a_reply_that_does_not_come_is_no_vote_and_its_reason_is_kept() -> None:
    judge = ChatJudge("chat", Chat(lost="no"), "rubric-1")
    votes = rejudge_batch(doubted(), judge, JudgeSettings(name="chat")).rows.to_pylist()
    assert [vote["verdict"] for vote in votes] == ["chosen", "invalid"]
    assert "6 tries" in votes[1]["evidence"]
