"""How a request is refused: a status, a code to branch on, and a message in the error shape of the OpenAI API."""

import math
from typing import Any

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason

ERROR_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "overloaded_error",
}
"""The `type` of an error by status; every other status is an `invalid_request_error`."""

RETRY_AFTER_S = 1.0


class Refusal(Exception):
    """A request that gets an error in place of scores. `param` is the path of the field at fault, if there is one."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param

    def body(self) -> dict[str, Any]:
        """The error as the OpenAI API would word it."""
        kind = ERROR_TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """What a client must know beside the body: how to authenticate, when to try again."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        if self.status in (429, 503):
            return {"Retry-After": str(math.ceil(RETRY_AFTER_S))}
        return {}


def refusal_of(dropped: Dropped, param: str) -> Refusal:
    """The refusal of a conversation that the model itself could not score."""
    if dropped.reason is DropReason.PROMPT_TOO_LONG:
        return Refusal(413, "context_length_exceeded", dropped.detail, param)
    return Refusal(422, str(dropped.reason), dropped.detail, param)
