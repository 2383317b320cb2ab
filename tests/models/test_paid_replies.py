"""What the cache has is not asked again, what is new is kept at once, and both are counted."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.paid_replies import PaidReplies, Usage, see_through, side_by_side
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.response_cache import CachedReply, ResponseCache
from dt2it_ray.store.files import Folder

MODEL = {"model": "m"}
REFUSED = Dropped(DropReason.REQUEST_REFUSED, "no")


class Model:
    """Answers with the number of the sample; at most `most` at once, and none from the call `refuses` on."""

    def __init__(self, most: int = 9, refuses: int = 9) -> None:
        self.asked: list[list[int]] = []
        self._most, self._refuses = most, refuses

    async def ask(self, places: Sequence[int]) -> Sequence[CachedReply] | Dropped:
        self.asked.append(list(places))
        if len(self.asked) > self._refuses:
            return REFUSED
        return [CachedReply(f"answer {place}", "stop", 100, 10) for place in places[: self._most]]


@pytest.fixture
def cache(tmp_path: Path) -> ResponseCache:
    return ResponseCache(Folder(str(tmp_path)))


def complete(replies: PaidReplies, model: Model, samples: int) -> list[str] | Dropped:
    request = GenerationRequest("k", (user_turn("Q?", 0),), (), samples)
    made: list[Completion] | Dropped = asyncio.run(replies.complete(request, MODEL, model.ask))
    return made if isinstance(made, Dropped) else [completion.text for completion in made]


def test_only_what_is_missing_is_asked_and_the_rest_is_saved(cache: ResponseCache) -> None:
    first, second = PaidReplies(cache, 1_000_000, 2_000_000), PaidReplies(cache, 1_000_000, 2_000_000)
    complete(first, Model(), 2)
    model = Model()
    assert complete(second, model, 3) == ["answer 0", "answer 1", "answer 2"]
    assert model.asked == [[2]]
    assert first.usage == Usage(replies=2, input_tokens=200, output_tokens=20, spent=240.0)
    assert second.usage == Usage(replies=3, hits=2, input_tokens=100, output_tokens=10, spent=120.0, saved=240.0)


def test_a_model_that_gives_fewer_is_asked_for_the_rest() -> None:
    model = Model(most=2)
    assert complete(PaidReplies(None), model, 5) == [f"answer {place}" for place in range(5)]
    assert model.asked == [[0, 1, 2, 3, 4], [2, 3, 4], [4]]


def test_replies_to_a_request_that_is_then_refused_are_kept(cache: ResponseCache) -> None:
    assert complete(PaidReplies(cache), Model(most=2, refuses=1), 3) == REFUSED
    model = Model()
    assert complete(PaidReplies(cache), model, 3) == [f"answer {place}" for place in range(3)]
    assert model.asked == [[2]]


def test_what_is_being_asked_and_kept_outlives_the_end_of_its_step(cache: ResponseCache) -> None:
    model = Model(most=2)

    async def end_amid(asked: asyncio.Event) -> None:
        await asked.wait()
        raise ValueError("the end")

    async def run() -> None:
        asked = asyncio.Event()

        async def slow(places: Sequence[int]) -> Sequence[CachedReply] | Dropped:
            asked.set()
            await asyncio.sleep(0.05)
            return await model.ask(places)

        async def ask(places: Sequence[int]) -> Sequence[CachedReply] | Dropped:
            return await see_through(slow(places))

        request = GenerationRequest("k", (user_turn("Q?", 0),), (), 3)
        await side_by_side([PaidReplies(cache).complete(request, MODEL, ask), end_amid(asked)])

    with pytest.raises(ValueError, match="the end"):
        asyncio.run(run())
    assert model.asked == [[0, 1, 2]]
    assert complete(PaidReplies(cache), model, 3) == [f"answer {place}" for place in range(3)]
    assert model.asked[1:] == [[2]]


def test_the_first_error_of_many_is_the_one_that_comes_through() -> None:
    async def fail(message: str, after: float) -> None:
        await asyncio.sleep(after)
        raise ValueError(message)

    with pytest.raises(ValueError, match="early"):
        asyncio.run(side_by_side([fail("late", 60), fail("early", 0)]))
