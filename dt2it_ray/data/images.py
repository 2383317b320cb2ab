"""How stored image bytes become pixels, and how hostile or broken ones are refused."""

import io
import struct

from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 50_000_000
"""Images above this many pixels are refused before they are decoded (decompression bombs)."""


# Pillow also opens formats that run outside programs (EPS) or are rarely tested; nobody has pairs in them.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
"""What Pillow raises for bytes that it cannot read."""


class BadImage(ValueError):
    """The bytes are not an image that can be used; the message says why."""


def decode(content: bytes) -> Image.Image:
    """The picture as RGB.

    Raises:
        BadImage: the bytes are empty, not an image, cut off, or the picture has more than `MAX_PIXELS` pixels.
    """
    if not content:
        raise BadImage("the image has no bytes")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage(f"the image has {image.width}x{image.height} pixels, more than {MAX_PIXELS}")
            return image.convert("RGB")
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise _unknown_kind(content) from None
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise BadImage(f"cannot decode {len(content)} bytes as an image: {error}") from None


def media_type(content: bytes) -> str:
    """The media type of an image, such as `image/png`, by its first bytes.

    Raises:
        BadImage: the bytes are not an image of a kind in `FORMATS`.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return Image.MIME[image.format or ""]
    except UnidentifiedImageError:
        raise _unknown_kind(content) from None
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise BadImage(f"{len(content)} bytes are no readable image: {error}") from None


def _unknown_kind(content: bytes) -> BadImage:
    # Pillow's own message holds an address in memory, which would make refused rows differ from run to run.
    return BadImage(f"cannot decode {len(content)} bytes as an image: they are of no known kind")
