"""How stored images get into a page that loads nothing: small, re-encoded, as data: URIs."""

import base64
import io

from PIL import Image

from dt2it_ray.data.images import BadImage, decode

MAX_SIDE = 320
SMALL_SIDE = 160
"""Pictures up to this size keep every pixel (PNG); larger ones are shrunk and become JPEG."""


def data_uri(content: bytes) -> str | None:
    """The image as a `data:` URI, or None if it cannot be decoded. What is not pixels does not pass."""
    try:
        image = decode(content)
    except BadImage:
        return None
    kind = "PNG" if max(image.size) <= SMALL_SIDE else "JPEG"
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
