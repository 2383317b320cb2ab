"""Replies kept by what was asked: any change of it is another key, and no writer can leave half a reply."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dt2it_ray.data.chat import user_turn
from dt2it_ray.models.response_cache import CachedReply, ResponseCache, reply_key
from dt2it_ray.store.files import Folder

REPLY = CachedReply("三个。\n", "stop", 10, 3)
ASKED = {
    "identity": {"model": "m"},
    "messages": [user_turn("Q", 1)],
    "images": [b"picture"],
    "schema": None,
    "sample": 0,
}


@pytest.mark.parametrize(
    "changed",
    [
        {"identity": {"model": "n"}},
        {"identity": {"model": "m", "revision": "2"}},
        {"messages": [user_turn("Q ", 1)]},
        {"images": [b"other"]},
        {"images": [b"pict", b"ure"]},
        {"images": []},
        {"schema": {"type": "object"}},
        {"sample": 1},
    ],
)
def test_whatever_is_asked_otherwise_has_another_key(changed: dict) -> None:
    assert reply_key(**{**ASKED, **changed}) != reply_key(**ASKED)


def test_the_order_of_settings_does_not_matter() -> None:
    one, two = ({"model": "m", "top_p": 1.0}, {"top_p": 1.0, "model": "m"})
    assert reply_key(**{**ASKED, "identity": one}) == reply_key(**{**ASKED, "identity": two})


def test_a_reply_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    cache, key = ResponseCache(Folder(str(tmp_path))), reply_key(**ASKED)
    assert cache.get(key) is None
    cache.put(key, REPLY)
    assert ResponseCache(Folder(str(tmp_path))).get(key) == REPLY


@pytest.mark.parametrize("content", [b"", b'{"text": "half', b"{}", b"[]"])
def test_a_damaged_reply_counts_as_absent(content: bytes, tmp_path: Path) -> None:
    cache, key = ResponseCache(Folder(str(tmp_path))), reply_key(**ASKED)
    cache.put(key, REPLY)
    [kept] = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept.write_bytes(content)
    assert cache.get(key) is None


def test_writers_and_readers_of_one_key_see_whole_replies(tmp_path: Path) -> None:
    key = reply_key(**ASKED)
    replies = [CachedReply(str(number) * 10_000, "stop", 1, number) for number in range(8)]

    def write_and_read(number: int) -> list[CachedReply | None]:
        cache = ResponseCache(Folder(str(tmp_path)))
        seen = []
        for _ in range(20):
            cache.put(key, replies[number])
            seen.append(cache.get(key))
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = [reply for each in pool.map(write_and_read, range(8)) for reply in each]
    assert all(reply in replies for reply in seen)
