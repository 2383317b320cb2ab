"""In which order a judge sees the answers to a prompt."""

from collections.abc import Sequence

from dt2it_ray.data.ids import content_id


def shown_order(answer_ids: Sequence[str], key: str, pass_index: int) -> list[int]:
    """Positions in `answer_ids` in the order to show them: a shuffle by content, whatever order they came in.

    Even passes are shuffles of their own; each odd pass reverses the one before it, so that any two answers are seen
    in both orders and pass 1 differs from pass 0 whenever there are two answers.
    """
    shuffle, reverse = divmod(pass_index, 2)
    drawn = [content_id("shown", key, shuffle, answer) for answer in answer_ids]
    return sorted(range(len(answer_ids)), key=drawn.__getitem__, reverse=bool(reverse))
