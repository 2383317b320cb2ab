"""How chat messages from outside become the conversations that a reward model scores, and what is refused."""

import base64
import io
from collections.abc import Sequence

from PIL import Image

from dt2it_ray.data.chat import Message
from dt2it_ray.data.images import FORMATS, UNREADABLE, BadImage, decode
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.serving.protocol import ChatTurn, ImagePart, RewardRequest, TextPart
from dt2it_ray.serving.refusal import Refusal
from dt2it_ray.serving.settings import Limits


def conversations_of(request: RewardRequest, limits: Limits) -> list[Conversation]:
    """The conversations of a request, in order. Answers to a shared prompt share its images.

    Nothing is decoded before all limits are checked.

    Raises:
        Refusal: status 400 for an image that is not a data: URL, 413 when a limit is passed, 422 for turns that are
            no conversation with a final answer and for images that cannot be decoded.
    """
    gallery = _Gallery(limits)
    conversations = _read(request, limits, gallery)
    gallery.decode_all()
    return conversations


class _Gallery:
    """The images of one request: taken in by their headers, decoded once all of them are known to be small enough."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._pixels = limits, 0
        self._contents: dict[bytes, str] = {}

    def take_in(self, url: str, param: str) -> bytes:
        """The bytes of a data: URL, whose format and size are within the limits."""
        content = _content(url, param)
        self._pixels += _require_pixels(content, param, self._limits)
        if self._pixels > self._limits.max_request_pixels:
            detail = f"the images up to {param} have {self._pixels} pixels, more than {self._limits.max_request_pixels}"
            raise Refusal(413, "too_many_pixels", detail, param)
        self._contents.setdefault(content, param)
        return content

    def decode_all(self) -> None:
        """Refuses the request if an image is cut off or damaged behind its header."""
        for content, param in self._contents.items():
            try:
                decode(content)
            except BadImage as error:
                raise Refusal(422, "image_undecodable", f"{param}: {error}", param) from None


def _read(request: RewardRequest, limits: Limits, gallery: _Gallery) -> list[Conversation]:
    if request.messages is not None:
        return [_conversation(request.messages, "messages", limits, gallery)]
    if request.conversations is not None:
        _require_count(len(request.conversations), limits.max_conversations, "conversations")
        return [
            _conversation(chat.messages, f"conversations[{index}].messages", limits, gallery)
            for index, chat in enumerate(request.conversations)
        ]
    answers = request.answers or []
    _require_count(len(answers), limits.max_conversations, "answers")
    prompt = _prompt(request.prompt or [], "prompt", limits, max(len(answer) for answer in answers), gallery)
    return [_answered(prompt, answer) for answer in answers]


def _conversation(turns: Sequence[ChatTurn], where: str, limits: Limits, gallery: _Gallery) -> Conversation:
    if not turns or turns[-1].role != "assistant":
        raise Refusal(422, "no_answer", f"{where}: the last message must be the assistant's answer", where)
    answer = _text(turns[-1], f"{where}[{len(turns) - 1}]")
    return _answered(_prompt(turns[:-1], where, limits, len(answer), gallery), answer)


def _answered(prompt: Conversation, answer: str) -> Conversation:
    return Conversation((*prompt.messages, {"role": "assistant", "content": answer}), prompt.images)


def _prompt(
    turns: Sequence[ChatTurn], where: str, limits: Limits, answer_characters: int, gallery: _Gallery
) -> Conversation:
    """Everything before the answer."""
    _require_order(turns, where)
    parts = sum(max(1, len(turn.content)) for turn in turns)
    if parts > limits.max_parts:
        raise Refusal(413, "too_many_parts", f"{where} has {parts} parts, more than {limits.max_parts}", where)
    urls = [
        (part.image_url.url, f"{where}[{row}].content[{column}].image_url.url")
        for row, turn in enumerate(turns)
        for column, part in enumerate(turn.content)
        if isinstance(part, ImagePart)
    ]
    if len(urls) > limits.max_images:
        raise Refusal(413, "too_many_images", f"{where} has {len(urls)} images, more than {limits.max_images}", where)
    messages = [_message(turn, f"{where}[{row}]") for row, turn in enumerate(turns)]
    characters = answer_characters + sum(
        len(part.text) for turn in turns for part in turn.content if isinstance(part, TextPart)
    )
    if characters > limits.max_characters:
        detail = f"{where} has {characters} characters of text, more than {limits.max_characters}"
        raise Refusal(413, "too_many_characters", detail, where)
    return Conversation(tuple(messages), tuple(gallery.take_in(url, param) for url, param in urls))


def _require_order(turns: Sequence[ChatTurn], where: str) -> None:
    roles = [turn.role for turn in turns]
    if not roles or roles[-1] != "user":
        raise Refusal(422, "no_question", f"{where}: a user message must come right before the answer", where)
    if "system" in roles[1:]:
        raise Refusal(422, "misplaced_system", f"{where}: only the first message may be the system's", where)


def _message(turn: ChatTurn, where: str) -> Message:
    """The message as the reward model's own data has it: lists of parts for users, plain text for the others."""
    if turn.role != "user":
        return {"role": turn.role, "content": _text(turn, where)}
    parts = [
        {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}
        for part in turn.content
    ]
    return {"role": "user", "content": parts}


def _text(turn: ChatTurn, where: str) -> str:
    texts = [part.text for part in turn.content if isinstance(part, TextPart)]
    if len(texts) != len(turn.content):
        raise Refusal(422, "misplaced_image", f"{where}: only user messages may hold images", where)
    return "".join(texts)


def _require_count(count: int, limit: int, param: str) -> None:
    if not count:
        raise Refusal(422, "empty_request", f"{param} is empty: there is nothing to score", param)
    if count > limit:
        raise Refusal(413, "too_many_conversations", f"{param} has {count} entries, more than {limit}", param)


def _content(url: str, param: str) -> bytes:
    head, comma, payload = url.partition(",")
    kind = head.lower()
    if not (comma and kind.startswith("data:image/") and kind.endswith(";base64")):
        detail = f"{param} is {url[:40]!r}: images must come as data:image/...;base64,... URLs; nothing is fetched"
        raise Refusal(400, "image_url_refused", detail, param)
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError as error:
        raise Refusal(422, "image_undecodable", f"{param}: {error}", param) from None


def _require_pixels(content: bytes, param: str, limits: Limits) -> int:
    """The pixels that the image's header announces, which are within the limit."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            pixels = image.width * image.height
    except Image.DecompressionBombError:
        pixels = Image.MAX_IMAGE_PIXELS or limits.max_image_pixels + 1
    except UNREADABLE as error:
        kinds = ", ".join(FORMATS)
        detail = f"{param}: {len(content)} bytes are no readable image of the kinds {kinds}: {error}"
        raise Refusal(422, "image_undecodable", detail, param) from None
    if pixels > limits.max_image_pixels:
        detail = f"{param} has {pixels} pixels or more, the limit is {limits.max_image_pixels}"
        raise Refusal(413, "image_too_large", detail, param)
    return pixels
