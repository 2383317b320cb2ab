"""Replies of models, kept under what was asked, so that no answer is computed or paid for twice."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dt2it_ray.data.chat import Message
from dt2it_ray.data.ids import content_id
from dt2it_ray.store.files import Folder
from dt2it_ray.store.fingerprint import canonical_json


@dataclass(frozen=True)
class CachedReply:
    """One answer, why it ended, and the tokens it took; those of the prompt are told by one answer of each request."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


_REPLY = TypeAdapter(CachedReply)


class ResponseCache:
    """One file per reply in a folder or object storage. Any number of writers: a reply is there whole or not at all."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def get(self, key: str) -> CachedReply | None:
        """The reply kept under a key. A damaged one counts as absent.

        Raises:
            StoreError: the folder cannot be read.
        """
        name = _name(key)
        if not self._folder.exists(name):
            return None
        try:
            return _REPLY.validate_json(self._folder.read(name))
        except ValidationError:
            return None

    def put(self, key: str, reply: CachedReply) -> None:
        """Keep a reply. Of two writers of one key the last wins; both asked the same.

        Raises:
            StoreError: the folder cannot be written.
        """
        self._folder.write(_name(key), canonical_json(asdict(reply)).encode())


def reply_key(
    identity: Mapping[str, Any],
    messages: Sequence[Message],
    images: Sequence[bytes],
    schema: Mapping[str, Any] | None,
    sample: int,
) -> str:
    """The key of one reply: a hash of who is asked and how (plain JSON), the messages, the images, the JSON schema
    that the reply is held to, and the number of the sample."""
    asked = canonical_json({"identity": dict(identity), "messages": list(messages), "schema": schema})
    return content_id("reply", asked, len(images), *images, sample)


def _name(key: str) -> str:
    # Folders of millions of files are slow to list and to delete.
    return f"{key[:2]}/{key[2:4]}/{key}.json"
