"""Requests for the tests of the server."""

import base64
import io
from typing import Any

from PIL import Image


def png(side: int = 4, colour: str = "red") -> bytes:
    """A small image file."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(stream, "PNG")
    return stream.getvalue()


def data_url(content: bytes, kind: str = "image/png") -> str:
    """The bytes as a data: URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def image_part(url: str) -> dict[str, Any]:
    """An image part of a user message."""
    return {"type": "image_url", "image_url": {"url": url}}


def question(text: str, *urls: str) -> dict[str, Any]:
    """A user message: images, then text."""
    return {"role": "user", "content": [*map(image_part, urls), {"type": "text", "text": text}]}


def answer(text: str) -> dict[str, Any]:
    """An assistant message."""
    return {"role": "assistant", "content": text}


def chat(text: str, reply: str, *urls: str) -> dict[str, Any]:
    """A conversation of one question and one answer."""
    return {"messages": [question(text, *urls), answer(reply)]}
