"""The token: where it comes from and who gets in."""

import socket

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.serving.address import free_port, is_loopback, url_of
from dt2it_ray.serving.auth import TOKEN_VARIABLE, new_token, require_token, token_digest, token_from_environment
from dt2it_ray.serving.refusal import Refusal

TOKEN = "correct-horse"


def test_the_right_token_gets_in() -> None:
    require_token(f"Bearer {TOKEN}", token_digest(TOKEN))
    require_token(f"bearer {TOKEN}", token_digest(TOKEN))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer wrong", "Bearer é"])
def test_anything_else_does_not(header: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        require_token(header, token_digest(TOKEN))
    assert caught.value.status == 401
    assert caught.value.headers() == {"WWW-Authenticate": "Bearer"}


def test_the_token_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert token_from_environment() is None
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert token_from_environment() == TOKEN


@pytest.mark.parametrize("token", ["", "short", "with a blank", "new\nline-token", "pässwörter"])
def test_a_token_that_cannot_be_sent_is_refused_without_showing_it(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(ConfigError, match=TOKEN_VARIABLE) as caught:
        token_from_environment()
    assert not token or token not in str(caught.value)


def test_new_tokens_differ_and_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = new_token(), new_token()
    assert first != second
    monkeypatch.setenv(TOKEN_VARIABLE, first)
    assert token_from_environment() == first


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False), ("box", False)],
)
def test_loopback_addresses_are_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_urls_can_be_opened_on_this_machine() -> None:
    assert url_of("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert url_of("::", 80) == "http://[::1]:80"
    assert url_of("box", 80) == "http://box:80"


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            free_port("127.0.0.1", port)
    assert free_port("127.0.0.1", 0) > 0
