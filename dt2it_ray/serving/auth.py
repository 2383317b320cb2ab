"""Who may ask: one bearer token per server, from the environment or made up at start."""

import hashlib
import hmac
import os
import re
import secrets

from dt2it_ray.errors import ConfigError
from dt2it_ray.serving.refusal import Refusal

TOKEN_VARIABLE = "DT2IT_SERVE_TOKEN"
# What RFC 6750 allows in a bearer token; anything else would not survive an HTTP header.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{8,}=*")


def token_from_environment() -> str | None:
    """The token that the operator chose, or None when the variable is not set.

    Raises:
        ConfigError: the variable is set to something that cannot be sent in a header or is under 8 characters.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if token is None:
        return None
    if not TOKEN.fullmatch(token):
        raise ConfigError(
            f"{TOKEN_VARIABLE} is set but is no usable token: use at least 8 characters of A-Z a-z 0-9 . _ ~ + / -, "
            "or unset it and a token is made up and printed at start"
        )
    return token


def new_token() -> str:
    """A token that cannot be guessed: 256 random bits."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """What the server keeps of a token; the token itself cannot be read back from it."""
    return hashlib.sha256(token.encode()).digest()


def require_token(header: str | None, digest: bytes) -> None:
    """Refuse an `Authorization` header that does not carry the token of `digest`.

    Raises:
        Refusal: status 401; the message does not depend on how the token is wrong.
    """
    scheme, _, token = (header or "").partition(" ")
    # Digests have one length, so that the time of the comparison tells nothing about the token.
    equal = hmac.compare_digest(token_digest(token.strip()), digest)
    if not (equal and scheme.lower() == "bearer"):
        message = "send the server's token in the header `Authorization: Bearer TOKEN`; it was printed at start"
        raise Refusal(401, "invalid_token", message)
