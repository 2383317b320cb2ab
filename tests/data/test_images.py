"""Image bytes from anywhere: pictures come out as RGB, anything else is refused with a reason."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from dt2it_ray.data import images
from dt2it_ray.data.images import BadImage, decode, media_type


def encoded(mode: str, colour: object, kind: str = "PNG", size: tuple[int, int] = (6, 4)) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, kind)  # type: ignore[arg-type]
    return stream.getvalue()


def with_late_profile(content: bytes) -> bytes:
    """A PNG with an empty colour profile behind its pixels, over which Pillow stumbles."""
    kind = b"iCCP"
    end = content.index(b"IEND") - 4
    return content[:end] + struct.pack(">I", 0) + kind + struct.pack(">I", zlib.crc32(kind)) + content[end:]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (10, 20, 30)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, colour: object, expected: tuple[int, int, int]) -> None:
    picture = decode(encoded(mode, colour))
    assert (picture.mode, picture.size) == ("RGB", (6, 4))
    assert picture.getpixel((5, 3)) == expected


def test_a_lossy_picture_is_close() -> None:
    pixel = decode(encoded("RGB", (200, 100, 50), "JPEG")).getpixel((3, 2))
    assert pixel == pytest.approx((200, 100, 50), abs=4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no bytes"),
        (b"not an image", "cannot decode 12 bytes"),
        (encoded("RGB", (1, 2, 3), size=(64, 64))[:-40], "cannot decode"),
        (encoded("RGB", (1, 2, 3), "JPEG", (64, 64))[:300], "cannot decode 300 bytes"),
        (with_late_profile(encoded("RGB", (1, 2, 3))), "cannot decode"),
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(content)


def test_the_limit_of_pixels_is_allowed_and_one_more_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded("RGB", (1, 2, 3))
    monkeypatch.setattr(images, "MAX_PIXELS", 24)
    assert decode(content).size == (6, 4)
    monkeypatch.setattr(images, "MAX_PIXELS", 23)
    with pytest.raises(BadImage, match="6x4 pixels, more than 23"):
        decode(content)


def test_a_decompression_bomb_is_refused_undecoded() -> None:
    bomb = bytearray(encoded("1", 0))
    # Width and height stand in bytes 16 to 24 of a PNG, with their checksum behind them.
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    with pytest.raises(BadImage, match=r"cannot decode|more than"):
        decode(bytes(bomb))


@pytest.mark.parametrize("open_image", [decode, media_type])
def test_the_message_of_bytes_of_no_known_kind_is_always_the_same(open_image: Callable[[bytes], object]) -> None:
    with pytest.raises(BadImage, match="of no known kind") as told:
        open_image(b"not an image")
    assert "0x" not in str(told.value)
