"""How many requests may be inside at once."""

import pytest

from dt2it_ray.serving.admission import Admission
from dt2it_ray.serving.refusal import Refusal


def test_one_more_than_the_limit_is_told_to_come_back() -> None:
    door = Admission(2)
    with door.place("m"), door.place("m"), pytest.raises(Refusal, match="2 requests wait for m") as caught:
        door.place("m").__enter__()
    assert (caught.value.status, caught.value.code) == (429, "queue_full")
    assert caught.value.headers() == {"Retry-After": "1"}


def test_who_leaves_makes_room_even_after_an_error() -> None:
    door = Admission(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="the model failed"), door.place("m"):
            raise ValueError("the model failed")
    with door.place("m"):
        pass
