"""A server that is down stops the step early; single failures do not."""

from pathlib import Path

import pytest

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.response_cache import ResponseCache
from dt2it_ray.store.files import Folder
from tests.models.endpoint.asking import generator, request
from tests.models.endpoint.server import chat_server


def test_a_server_that_is_down_stops_the_step_and_single_failures_do_not() -> None:
    with chat_server() as server:
        pass
    with generator(server, attempts=1) as endpoint:
        few = endpoint.generate([request(str(number)) for number in range(7)])
        assert {one.reason for one in few if isinstance(one, Dropped)} == {DropReason.ENDPOINT_FAILED}
        with pytest.raises(StageFailed, match=f"8 requests in a row to {server.url} .*ConnectError.*run again"):
            endpoint.generate([request(str(number)) for number in range(8)])


def test_a_server_that_is_down_stops_a_step_that_has_some_replies(tmp_path: Path) -> None:
    cache = ResponseCache(Folder(str(tmp_path)))
    with chat_server() as server, generator(server, cache) as endpoint:
        endpoint.generate([request("kept")])
    with generator(server, cache, attempts=1) as endpoint, pytest.raises(StageFailed, match="8 requests in a row"):
        endpoint.generate([request("kept"), *(request(str(number)) for number in range(8))])


def test_a_server_that_fails_every_request_stops_the_step_after_two_waves() -> None:
    with chat_server(lambda number: "500" if number else "ok") as server:
        asked = [request(str(number)) for number in range(100)]
        with generator(server, attempts=1, max_concurrent=4) as endpoint:
            few = endpoint.generate(asked[:16])
            assert sum(isinstance(one, Dropped) for one in few) == 15
            with pytest.raises(StageFailed, match=r"16 requests in a row .* the last one: status 500.*run again"):
                endpoint.generate(asked[16:])
        # Those that were under way are seen through.
        assert 17 <= len(server.bodies) < 40
